# cmake -C tools/cmake/asan.cmake -B build/asan -G Ninja
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CF_SANITIZE "address,undefined" CACHE STRING "")
