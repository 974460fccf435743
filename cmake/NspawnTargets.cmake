# One static library per folder of src/. A folder may use only those named in USES, so the direction of the
# architecture is a build error, not a wish: headers are found as "folder/name.hpp" below src/.

include(CheckLinkerFlag)

add_library(nspawn_flags INTERFACE)
target_compile_features(nspawn_flags INTERFACE cxx_std_20)
target_compile_options(nspawn_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
  -Wnon-virtual-dtor -Wimplicit-fallthrough -Wundef $<$<BOOL:${NSPAWN_WARNINGS_AS_ERRORS}>:-Werror>)
# Nothing here is printed by locale; without this, {fmt} brings in all of libstdc++'s locales.
target_compile_definitions(nspawn_flags INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64 FMT_STATIC_THOUSANDS_SEPARATOR=',')
if(NSPAWN_SANITIZE)
  target_compile_options(nspawn_flags INTERFACE -fsanitize=${NSPAWN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_link_options(nspawn_flags INTERFACE -fsanitize=${NSPAWN_SANITIZE})
endif()
if(NSPAWN_COVERAGE)
  target_compile_options(nspawn_flags INTERFACE --coverage)
  target_link_options(nspawn_flags INTERFACE --coverage)
endif()

function(nspawn_library folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LINK" ${ARGN})
  set(target nspawn_${folder})
  add_library(${target} STATIC ${ARG_SOURCES})
  target_link_libraries(${target} PUBLIC nspawn_flags fmt::fmt-header-only ${ARG_LINK})
  # Only this folder and the ones it uses are on the include path, each through a forwarding directory with one link.
  foreach(used IN ITEMS ${folder} ${ARG_USES})
    set(view ${PROJECT_BINARY_DIR}/include/${used})
    if(NOT EXISTS ${view}/${used})
      file(MAKE_DIRECTORY ${view})
      file(CREATE_LINK ${PROJECT_SOURCE_DIR}/src/${used} ${view}/${used} SYMBOLIC)
    endif()
    target_include_directories(${target} PUBLIC ${view})
  endforeach()
  foreach(used IN LISTS ARG_USES)
    target_link_libraries(${target} PUBLIC nspawn_${used})
  endforeach()
  # Half of the build's time without it. The clang preset builds without, so that every file still names what it uses.
  if(folder STREQUAL base)
    target_precompile_headers(${target} PRIVATE <fmt/format.h> <algorithm> <array> <memory> <optional> <string>
      <string_view> <utility> <vector>)
  else()
    target_precompile_headers(${target} REUSE_FROM nspawn_base)
  endif()
endfunction()

# A program that ships. Static: loading even libc alone would be a tenth of a plain start, and half of the memory that a
# supervisor keeps. What needs other libraries lives in a program of its own.
function(nspawn_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/src/programs/terminate.cpp)
  foreach(used IN LISTS ARG_USES)
    target_link_libraries(${name} PRIVATE nspawn_${used})
  endforeach()
  if(NOT NSPAWN_SANITIZE)
    target_link_options(${name} PRIVATE -static-pie -Wl,--gc-sections -Wl,-z,relro -Wl,-z,now)
    nspawn_order_text(${name})
  endif()
endfunction()

# What a start executes lies in few pages, and relocations take less room: each page that is touched for the first time
# costs, in the supervisor and in the child. For linkers that can; nothing depends on it.
check_linker_flag(CXX -Wl,-T,${PROJECT_SOURCE_DIR}/src/programs/text_order.ld NSPAWN_LINKER_ORDERS_TEXT)
check_linker_flag(CXX -Wl,-z,pack-relative-relocs NSPAWN_LINKER_PACKS_RELOCATIONS)
function(nspawn_order_text name)
  if(NSPAWN_LINKER_ORDERS_TEXT)
    set(order ${PROJECT_SOURCE_DIR}/src/programs/text_order.ld)
    target_link_options(${name} PRIVATE -ffunction-sections -Wl,-T,${order})
    set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS ${order})
  endif()
  if(NSPAWN_LINKER_PACKS_RELOCATIONS)
    target_link_options(${name} PRIVATE -Wl,-z,pack-relative-relocs)
  endif()
endfunction()

# Where the programs lie that nspawn starts by itself, and the way there from its own directory.
set(NSPAWN_WORKER_DIRECTORY ${CMAKE_INSTALL_LIBEXECDIR}/nspawn)
file(RELATIVE_PATH NSPAWN_WORKERS_FROM_PROGRAM ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBEXECDIR}/nspawn)

# A program that nspawn starts for what needs other libraries. Dynamic, with the C++ runtime linked in: loading that takes
# longer than all else.
function(nspawn_worker name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/src/programs/terminate.cpp)
  list(TRANSFORM ARG_USES PREPEND nspawn_ OUTPUT_VARIABLE libraries)
  target_link_libraries(${name} PRIVATE ${libraries})
  if(NOT NSPAWN_SANITIZE)
    target_link_options(${name} PRIVATE -static-libstdc++ -static-libgcc -pie -Wl,--gc-sections -Wl,--as-needed
      -Wl,-z,relro -Wl,-z,now)
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  endif()
  install(TARGETS ${name} RUNTIME DESTINATION ${NSPAWN_WORKER_DIRECTORY})
endfunction()

# nspawn_unit_test(<folder> SOURCES ... [LINK ...]): one GoogleTest binary per folder, named unit_<folder>.
function(nspawn_unit_test folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(unit_${folder} ${ARG_SOURCES})
  target_link_libraries(unit_${folder} PRIVATE nspawn_${folder} GTest::gtest GTest::gmock GTest::gtest_main ${ARG_LINK})
  if(folder STREQUAL base)
    target_precompile_headers(unit_${folder} PRIVATE <gtest/gtest.h> <gmock/gmock.h> <fmt/format.h>)
  else()
    target_precompile_headers(unit_${folder} REUSE_FROM unit_base)
  endif()
  target_compile_definitions(unit_${folder} PRIVATE NSPAWN_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/unit/data")
  add_test(NAME unit_${folder} COMMAND unit_${folder})
  set_tests_properties(unit_${folder} PROPERTIES LABELS unit TIMEOUT 120)
endfunction()
