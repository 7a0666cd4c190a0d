# cmake -C tools/cmake/tsan.cmake -B build/tsan -G Ninja
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CF_SANITIZE "thread" CACHE STRING "")
