// inline_function.hpp — a callable kept inside the object: std::function without the heap.
//
// Holds a function pointer or a lambda with a few trivially copyable captures (four pointers' worth); anything larger
// does not compile. Copying one is copying bytes, so a handler may be replaced while it runs. Never allocates, which is
// what keeps the supervisor's memory flat.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace nspawn {

template <typename Signature>
class InlineFunction;

template <typename R, typename... Args>
class InlineFunction<R(Args...)> {
public:
    InlineFunction() = default;

    template <typename F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, InlineFunction> && std::is_invocable_r_v<R, F&, Args...>)
        InlineFunction(F&& callable) { // NOLINT(google-explicit-constructor,bugprone-forwarding-reference-overload)
        using Stored = std::decay_t<F>;
        static_assert(sizeof(Stored) <= kCapacity, "capture less, for example only [this]");
        static_assert(alignof(Stored) <= alignof(std::max_align_t));
        static_assert(std::is_trivially_copyable_v<Stored> && std::is_trivially_destructible_v<Stored>,
                      "captures must be plain data: pointers, references, numbers");
        ::new (static_cast<void*>(storage_)) Stored(std::forward<F>(callable));
        call_ = [](void* stored, Args... args) -> R {
            return (*std::launder(static_cast<Stored*>(stored)))(std::forward<Args>(args)...);
        };
    }

    explicit operator bool() const { return call_ != nullptr; }
    R operator()(Args... args) { return call_(storage_, std::forward<Args>(args)...); }

private:
    static constexpr size_t kCapacity = 4 * sizeof(void*);

    alignas(std::max_align_t) std::byte storage_[kCapacity]{};
    R (*call_)(void*, Args...) = nullptr;
};

} // namespace nspawn
