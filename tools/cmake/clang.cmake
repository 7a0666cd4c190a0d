# cmake -C tools/cmake/clang.cmake -B build/clang -G Ninja
set(CMAKE_C_COMPILER clang-14 CACHE STRING "")
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
