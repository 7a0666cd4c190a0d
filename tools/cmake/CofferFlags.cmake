# cf_flags: warnings, hardening and the sanitizer choice, for every object of ours.
set(CF_SANITIZE "" CACHE STRING "address,undefined or thread; empty for none")

option(CF_FUZZ "build the libFuzzer targets (clang)" OFF)

add_library(cf_flags INTERFACE)
target_compile_options(cf_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wpointer-arith -Wformat=2 -Wundef -Wvla -Wcast-qual -Wwrite-strings -Wswitch-enum
    -Wimplicit-fallthrough -Werror
    $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation> # error texts are cut to fit, knowingly
    -fstack-protector-strong -fstack-clash-protection -fcf-protection -fno-common -fPIE
    -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
target_compile_definitions(cf_flags INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64)
target_link_options(cf_flags INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack)
if(CF_SANITIZE)
    target_compile_options(cf_flags INTERFACE -fsanitize=${CF_SANITIZE} -fno-omit-frame-pointer
        -fno-sanitize-recover=all)
    target_link_options(cf_flags INTERFACE -fsanitize=${CF_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_definitions(cf_flags INTERFACE _FORTIFY_SOURCE=2)
endif()
if(CF_FUZZ)
    target_compile_options(cf_flags INTERFACE -fsanitize=fuzzer-no-link)
    add_custom_target(fuzzers)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
    # Recorders that tests read (key and nonce pairs, plaintext leaving the token) exist only here.
    target_compile_definitions(cf_flags INTERFACE CF_DEBUG_RECORDERS=1)
else()
    target_compile_definitions(cf_flags INTERFACE CF_DEBUG_RECORDERS=0)
endif()

# What a test may do and the product may not.
add_library(cf_test_flags INTERFACE)
target_compile_options(cf_test_flags INTERFACE -Wno-missing-prototypes -Wno-switch-enum)
target_include_directories(cf_test_flags INTERFACE ${CMAKE_SOURCE_DIR}/tests/support/include)
target_compile_definitions(cf_test_flags INTERFACE
    CF_VECTORS="${CMAKE_SOURCE_DIR}/tests/vectors" CF_BUILD_BIN="${CMAKE_BINARY_DIR}/bin"
    CF_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
