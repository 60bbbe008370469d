# The tests. tests/<room>/*.cpp becomes the program <room>_tests, whose cases ctest finds by themselves; tests/support/*.cpp is linked
# into each; tests/scripts/*.sh are tests that drive the built programs from outside.
#
# A script is run with bash and gets, in its environment:
#   MNET_TOOL   path of the built tool        BUILD_DIR   build folder (examples are in $BUILD_DIR/examples)
#   SOURCE_DIR  root of the source tree       MNET_CXX    the compiler in use
# It exits 0 for passed, 77 for skipped, anything else for failed.
find_package(GTest REQUIRED)
include(GoogleTest)

set(test_timeout_seconds 300)

file(GLOB support_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/support/*.cpp")
set(test_main GTest::gtest_main)
if(support_sources)
    add_library(test_support OBJECT ${support_sources})
    mnet_settings(test_support)
    target_include_directories(test_support PUBLIC "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/tests")
    target_link_libraries(test_support PUBLIC simulation_inside mnet_inside GTest::gtest)
    if(EXISTS "${PROJECT_SOURCE_DIR}/tests/support/main.cpp")
        set(test_main GTest::gtest)
    endif()
endif()

# How all test programs are compiled alike, which the shared precompiled header asks for.
add_library(test_settings INTERFACE)
target_include_directories(test_settings INTERFACE
    "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/tests" "${PROJECT_SOURCE_DIR}/tools" "${PROJECT_SOURCE_DIR}/bench")
# Of files compiled many at once, a local name of one may be a constant of another.
target_compile_options(test_settings INTERFACE ${MNET_TESTS_OPTIONS} $<$<BOOL:${CMAKE_UNITY_BUILD}>:-Wno-shadow>)
target_link_libraries(test_settings INTERFACE simulation_inside mnet_inside GTest::gtest)
if(TARGET mnet_tool)
    target_compile_definitions(test_settings INTERFACE MNET_TOOL="$<TARGET_FILE:mnet_tool>")
endif()

if(MNET_TESTS_PRECOMPILED)
    # An empty program: the header is valid only where code is compiled for a program too.
    file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/precompiled.cpp" CONTENT "int main() {}\n")
    add_executable(test_precompiled "${PROJECT_BINARY_DIR}/precompiled.cpp")
    mnet_settings(test_precompiled)
    target_link_libraries(test_precompiled PRIVATE test_settings)
    target_precompile_headers(test_precompiled PRIVATE
        <gtest/gtest.h> <algorithm> <array> <atomic> <chrono> <coroutine> <cstring> <expected> <functional> <memory> <random> <span>
        <string> <thread> <unordered_map> <vector>)
endif()

# add_room(FOLDER): the test program of one room.
function(add_room folder)
    file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${folder}/*.cpp")
    if(NOT sources)
        return()
    endif()
    if(folder STREQUAL "bench")
        list(APPEND sources "${PROJECT_SOURCE_DIR}/bench/histogram.cpp")
    endif()
    set(target ${folder}_tests)
    add_executable(${target} ${sources})
    mnet_settings(${target})
    target_link_libraries(${target} PRIVATE test_settings ${test_main})
    if(MNET_TESTS_PRECOMPILED)
        target_precompile_headers(${target} REUSE_FROM test_precompiled)
    endif()
    if(TARGET test_support)
        target_link_libraries(${target} PRIVATE test_support)
    endif()
    if(folder STREQUAL "diagnostics")
        target_link_libraries(${target} PRIVATE mnet::allocation_counter)
    endif()
    if(TARGET mnet_tool AND folder STREQUAL "tool")
        add_dependencies(${target} mnet_tool)
    endif()
    gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
        PROPERTIES TIMEOUT ${test_timeout_seconds} LABELS ${folder} ENVIRONMENT MNET_SHARED_MEMORY=off)
    if(folder STREQUAL "mtcp")
        # What is tested once with the engine of a program that does not choose, over TCP, holds on the other engine, and for clients that move
        # to shared memory.
        set(again "-Simulated*:*Simulated*:EngineChoice*:*_Unix*:*/Unix*:*SharedMemory*:*IdleClients*")
        # gtest_discover_tests passes on the first element of a list: so a property for each.
        set(properties_epoll ENVIRONMENT MNET_ENGINE=epoll ENVIRONMENT_MODIFICATION MNET_SHARED_MEMORY=set:off)
        set(properties_memory ENVIRONMENT MNET_SHARED_MEMORY=auto)
        foreach(ground IN LISTS MNET_TESTS_AGAIN)
            gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 TEST_PREFIX "${ground}." TEST_FILTER "${again}"
                PROPERTIES TIMEOUT ${test_timeout_seconds} LABELS ${folder} ${properties_${ground}})
        endforeach()
    endif()
endfunction()

file(GLOB room_folders RELATIVE "${PROJECT_SOURCE_DIR}/tests" CONFIGURE_DEPENDS LIST_DIRECTORIES true "${PROJECT_SOURCE_DIR}/tests/*")
foreach(folder IN LISTS room_folders)
    if(MNET_ROOMS AND NOT folder IN_LIST MNET_ROOMS)
        continue()
    endif()
    if(IS_DIRECTORY "${PROJECT_SOURCE_DIR}/tests/${folder}" AND NOT folder MATCHES "^(support|scripts|install|compiler|guard|seeds|torture)$")
        add_room(${folder})
    endif()
endforeach()

# Measured by tests/guard/run, in the release build; built in all, so that it can't rot.
add_executable(guard_hot_paths "${PROJECT_SOURCE_DIR}/tests/guard/hot_paths.cpp")
mnet_settings(guard_hot_paths)
target_include_directories(guard_hot_paths PRIVATE "${PROJECT_SOURCE_DIR}/src")
target_link_libraries(guard_hot_paths PRIVATE mnet_inside mnet::allocation_counter)

# The simulated world, seed after seed: as many as MNET_TESTS_SEEDS, in shards that can run beside each other.
file(GLOB seeds_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/seeds/*.cpp")
add_executable(simulated_seeds ${seeds_sources})
mnet_settings(simulated_seeds)
target_include_directories(simulated_seeds PRIVATE "${PROJECT_SOURCE_DIR}/tests")
target_link_libraries(simulated_seeds PRIVATE simulation_inside)
set(seeds_shards 8)
math(EXPR seeds_a_shard "(${MNET_TESTS_SEEDS} + ${seeds_shards} - 1) / ${seeds_shards}")
foreach(shard RANGE 1 ${seeds_shards})
    math(EXPR first_seed "(${shard} - 1) * ${seeds_a_shard} + 1")
    add_test(NAME simulated_seeds.${shard} COMMAND simulated_seeds --seeds ${seeds_a_shard} --from ${first_seed})
    set_tests_properties(simulated_seeds.${shard} PROPERTIES TIMEOUT ${test_timeout_seconds} LABELS seeds)
endforeach()
math(EXPR seeds_over_tls "${MNET_TESTS_SEEDS} / 20")
add_test(NAME simulated_seeds.tls COMMAND simulated_seeds --tls --seeds ${seeds_over_tls})
set_tests_properties(simulated_seeds.tls PROPERTIES TIMEOUT ${test_timeout_seconds} LABELS seeds)

# Each system call and each allocation fails once: the linker sends the calls of the library to tests/torture, so that the library is the one that is shipped.
file(GLOB torture_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/torture/*.cpp")
file(STRINGS "${PROJECT_SOURCE_DIR}/tests/torture/wrapped.txt" torture_wrapped REGEX "^[a-zA-Z0-9_]+$")
add_executable(torture ${torture_sources})
mnet_settings(torture)
target_include_directories(torture PRIVATE "${PROJECT_SOURCE_DIR}/tests")
target_include_directories(torture SYSTEM PRIVATE "${MNET_URING_INCLUDE}")
list(TRANSFORM torture_wrapped PREPEND "-Wl,--wrap=")
target_link_options(torture PRIVATE ${torture_wrapped})
target_link_libraries(torture PRIVATE mnet_inside uring OpenSSL::Crypto)
file(STRINGS "${PROJECT_SOURCE_DIR}/tests/torture/scenarios.cpp" torture_scenarios REGEX "{\"[a-z_]+\", [a-z_]+}")  # the table at its end
list(TRANSFORM torture_scenarios REPLACE ".*{\"([a-z_]+)\".*" "\\1")
if(MNET_TESTS_TORTURE)  # not under the thread sanitizer: it has no place for a process that starts threads and is forked
    foreach(scenario IN LISTS torture_scenarios)
        foreach(engine IN ITEMS epoll uring)
            add_test(NAME torture.${scenario}.${engine} COMMAND torture ${scenario} ${engine})
            set_tests_properties(torture.${scenario}.${engine} PROPERTIES TIMEOUT ${test_timeout_seconds} LABELS torture)
        endforeach()
    endforeach()
endif()

set(script_environment "BUILD_DIR=${PROJECT_BINARY_DIR}" "SOURCE_DIR=${PROJECT_SOURCE_DIR}" "MNET_CXX=${CMAKE_CXX_COMPILER}")
if(TARGET mnet_tool)
    list(APPEND script_environment "MNET_TOOL=$<TARGET_FILE:mnet_tool>")
endif()
file(GLOB script_tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/scripts/*.sh")
foreach(script IN LISTS script_tests)
    cmake_path(GET script STEM name)
    add_test(NAME scripts.${name} COMMAND bash "${script}")
    set_tests_properties(scripts.${name} PROPERTIES
        TIMEOUT ${test_timeout_seconds} SKIP_RETURN_CODE 77 LABELS scripts ENVIRONMENT "${script_environment}")
endforeach()
