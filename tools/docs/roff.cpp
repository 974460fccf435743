#include "docs/roff.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <optional>
#include <vector>

namespace nspawn::docs {

namespace {

enum class Hyphens { typographic, literal };

struct Replacement {
    std::string_view text;
    std::string_view roff;
};
// Characters that not every output device has.
constexpr Replacement kReplacements[] = {{"…", "..."},   {"—", "\\(em"}, {"–", "\\(en"}, {"“", "\\(lq"},
                                         {"”", "\\(rq"}, {"’", "\\(cq"}, {"→", "\\(->"}, {"×", "\\(mu"}};

std::string escaped(std::string_view text, Hyphens hyphens) {
    std::string out;
    while (!text.empty()) {
        size_t used = 1;
        std::string piece(text.substr(0, 1));
        if (piece == "\\") {
            piece = "\\e";
        } else if (piece == "-" && hyphens == Hyphens::literal) {
            piece = "\\-";
        } else if (hyphens == Hyphens::literal && (piece == "'" || piece == "^" || piece == "~" || piece == "`")) {
            // Outside of text these would be printed as typographic marks.
            piece = piece == "'" ? "\\(aq" : piece == "^" ? "\\(ha" : piece == "~" ? "\\(ti" : "\\(ga";
        }
        for (const Replacement& each : kReplacements) {
            if (text.starts_with(each.text)) {
                piece = each.roff;
                used = each.text.size();
            }
        }
        out += piece;
        text.remove_prefix(used);
    }
    return out;
}

// A line must not begin with what roff takes for a request.
std::string guarded(std::string line) {
    if (line.starts_with('.') || line.starts_with('\'')) {
        line.insert(0, "\\&");
    }
    return line;
}

// The text between `mark` at the start of `rest` and its partner; nullopt when there is no partner.
std::optional<std::string_view> marked(std::string_view rest, std::string_view mark) {
    if (!rest.starts_with(mark)) {
        return std::nullopt;
    }
    const size_t end = rest.find(mark, mark.size());
    if (end == std::string_view::npos || end == mark.size()) {
        return std::nullopt;
    }
    return rest.substr(mark.size(), end - mark.size());
}

// "[text](address)" at the start of `rest`: the text, and how much was used.
struct Link {
    std::string_view text;
    size_t length = 0;
};
std::optional<Link> link_at(std::string_view rest) {
    const size_t middle = rest.find("](");
    if (!rest.starts_with('[') || middle == std::string_view::npos) {
        return std::nullopt;
    }
    const size_t end = rest.find(')', middle);
    const std::string_view text = rest.substr(1, middle - 1);
    if (end == std::string_view::npos || text.find(']') != std::string_view::npos) {
        return std::nullopt;
    }
    return Link{text, end + 1};
}

class Converter {
public:
    Converter(std::string_view markdown, Place place) : lines_(split(markdown, '\n')), place_(place) {}

    std::string convert() {
        while (at_ < lines_.size()) {
            block();
        }
        return std::move(out_);
    }

private:
    [[nodiscard]] std::string_view line() const { return lines_[at_]; }
    [[nodiscard]] bool next_is(std::string_view start) const {
        return at_ + 1 < lines_.size() && lines_[at_ + 1].starts_with(start);
    }

    void block() {
        if (trim(line()).empty()) {
            ++at_;
        } else if (line().starts_with("## ")) {
            heading(".SS", line().substr(3));
        } else if (line().starts_with("# ")) {
            heading(".SH", line().substr(2));
        } else if (line().starts_with("```")) {
            code_block();
        } else if (line().starts_with("- ")) {
            list();
        } else if (is_definition(at_)) {
            definitions();
        } else {
            paragraph();
        }
    }

    void heading(std::string_view request, std::string_view text) {
        out_ += fmt::format("{} {}\n", request, roff_inline(text));
        fresh_ = true;
        ++at_;
    }

    // Starts a new paragraph, unless a heading or a tag has just done so.
    void begin_paragraph() {
        if (!fresh_) {
            out_ += place_ == Place::section ? ".PP\n" : ".IP\n";
        }
        fresh_ = false;
    }

    void code_block() {
        begin_paragraph();
        out_ += ".RS 4\n.nf\n";
        for (++at_; at_ < lines_.size() && !line().starts_with("```"); ++at_) {
            out_ += guarded(roff_literal(line())) + "\n";
        }
        ++at_;
        out_ += ".fi\n.RE\n";
    }

    void list() {
        if (place_ == Place::tagged_paragraph) {
            out_ += ".RS\n";
        }
        while (at_ < lines_.size() && line().starts_with("- ")) {
            out_ += ".IP \\(bu 2\n";
            item(line().substr(2));
        }
        if (place_ == Place::tagged_paragraph) {
            out_ += ".RE\n";
        }
        fresh_ = false;
    }

    void definitions() {
        if (place_ == Place::tagged_paragraph) {
            out_ += ".RS\n";
        }
        while (is_definition(at_)) {
            out_ += fmt::format(".TP\n{}\n", guarded(roff_inline(line())));
            ++at_;
            item(line().substr(2));
        }
        if (place_ == Place::tagged_paragraph) {
            out_ += ".RE\n";
        }
        fresh_ = false;
    }

    // The first line of an item, and the indented ones that go on with it.
    void item(std::string_view first) {
        out_ += guarded(roff_inline(first)) + "\n";
        for (++at_; at_ < lines_.size() && line().starts_with("  "); ++at_) {
            out_ += guarded(roff_inline(trim(line()))) + "\n";
        }
        while (at_ + 1 < lines_.size() && trim(line()).empty() && (next_is("- ") || is_definition(at_ + 1))) {
            ++at_; // a blank line between items ends nothing
        }
    }

    [[nodiscard]] bool is_definition(size_t at) const {
        return at + 1 < lines_.size() && lines_[at + 1].starts_with(": ");
    }

    void paragraph() {
        begin_paragraph();
        do {
            out_ += guarded(roff_inline(trim(line()))) + "\n";
            ++at_;
        } while (at_ < lines_.size() && !ends_paragraph(line()));
    }

    static bool ends_paragraph(std::string_view line) {
        return trim(line).empty() || line.starts_with("```") || line.starts_with("- ") || line.starts_with("# ") ||
               line.starts_with("## ");
    }

    std::vector<std::string_view> lines_;
    Place place_;
    size_t at_ = 0;
    bool fresh_ = true;
    std::string out_;
};

} // namespace

std::string roff_literal(std::string_view text) { return escaped(text, Hyphens::literal); }

std::string roff_inline(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        if (const auto code = marked(text, "`")) {
            out += fmt::format("\\fB\\%{}\\fR", roff_literal(*code));
            text.remove_prefix(code->size() + 2);
        } else if (const auto bold = marked(text, "**")) {
            out += fmt::format("\\fB\\%{}\\fR", roff_literal(*bold));
            text.remove_prefix(bold->size() + 4);
        } else if (const auto emphasis = marked(text, "*")) {
            out += fmt::format("\\fI{}\\fR", roff_literal(*emphasis));
            text.remove_prefix(emphasis->size() + 2);
        } else if (const auto link = link_at(text)) {
            out += roff_inline(link->text);
            text.remove_prefix(link->length);
        } else {
            const size_t plain = std::min(text.find_first_of("`*[", 1), text.size());
            out += escaped(text.substr(0, plain), Hyphens::typographic);
            text.remove_prefix(plain);
        }
    }
    return out;
}

std::string roff_from_markdown(std::string_view markdown, Place place) { return Converter(markdown, place).convert(); }

} // namespace nspawn::docs
