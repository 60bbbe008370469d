# bench/peers/: the work of `mnet bench` done with other libraries, a program `bench_peer_NAME` each, and the limits they are all held
# against (`bench_limits`). Not part of a build without asking: the target `mnet_peers` builds those whose library is there (Debian:
# libasio-dev libuv1-dev libevent-dev libzmq3-dev libnng-dev libiceoryx-posh-dev); peers_missing.txt in the build folder names the others.
find_package(PkgConfig)
find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)

set(peers_folder "${PROJECT_SOURCE_DIR}/bench/peers")
set(tool_folder "${PROJECT_SOURCE_DIR}/tools/mnet")
add_library(mnet_peer_program STATIC EXCLUDE_FROM_ALL
    "${peers_folder}/peer_program.cpp" "${peers_folder}/peer_processes.cpp"
    "${PROJECT_SOURCE_DIR}/bench/protocol.cpp" "${PROJECT_SOURCE_DIR}/bench/resident.cpp" "${PROJECT_SOURCE_DIR}/bench/trip_clock.cpp"
    "${tool_folder}/bench_rounds.cpp" "${tool_folder}/bench_row.cpp" "${tool_folder}/process.cpp" "${tool_folder}/quantities.cpp")
mnet_settings(mnet_peer_program)
target_include_directories(mnet_peer_program PUBLIC
    "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/bench" "${tool_folder}")
target_link_libraries(mnet_peer_program PUBLIC CLI11::CLI11 fmt::fmt nlohmann_json::nlohmann_json Threads::Threads)

add_custom_target(mnet_peers)
set(peers_missing "")

# add_peer(NAME PACKAGE LIBRARY...): PACKAGE is what Debian calls it; nothing is built where a library is NOTFOUND.
function(add_peer name package)
    if("${ARGN}" MATCHES "NOTFOUND" OR NOT ARGN)
        set(peers_missing "${peers_missing}${name} ${package}\n" PARENT_SCOPE)
        return()
    endif()
    file(GLOB sources CONFIGURE_DEPENDS "${peers_folder}/peer_${name}.cpp" "${peers_folder}/peer_${name}_*.cpp")
    add_executable(bench_peer_${name} EXCLUDE_FROM_ALL ${sources})
    mnet_settings(bench_peer_${name})
    set_target_properties(bench_peer_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
    target_link_libraries(bench_peer_${name} PRIVATE mnet_peer_program ${ARGN})
    add_dependencies(mnet_peers bench_peer_${name})
endfunction()

# pkg_config_target(VARIABLE MODULE): its imported target, or NOTFOUND.
function(pkg_config_target variable module)
    set(${variable} NOTFOUND PARENT_SCOPE)
    if(PKG_CONFIG_FOUND)
        pkg_check_modules(peer_${module} QUIET IMPORTED_TARGET ${module})
        if(peer_${module}_FOUND)
            set(${variable} PkgConfig::peer_${module} PARENT_SCOPE)
        endif()
    endif()
endfunction()

find_path(asio_folder asio.hpp NO_CACHE)
if(asio_folder)
    add_peer(asio libasio-dev Threads::Threads mnet_inside OpenSSL::SSL OpenSSL::Crypto)  # mnet's certificates, for TLS
else()
    add_peer(asio libasio-dev NOTFOUND)
endif()
pkg_config_target(libuv_target libuv)
add_peer(libuv libuv1-dev ${libuv_target})
pkg_config_target(libevent_target libevent_core)
add_peer(libevent libevent-dev ${libevent_target})
pkg_config_target(zeromq_target libzmq)
add_peer(zeromq libzmq3-dev ${zeromq_target})

find_package(nng QUIET CONFIG)
set(nng_target NOTFOUND)
if(TARGET nng::nng)
    set(nng_target nng::nng mnet_inside OpenSSL::SSL OpenSSL::Crypto)  # mnet's certificates, for TLS
endif()
add_peer(nng libnng-dev ${nng_target})

find_package(iceoryx_posh QUIET CONFIG)
set(iceoryx_target NOTFOUND)
if(TARGET iceoryx_posh::iceoryx_posh)
    set(iceoryx_target iceoryx_posh::iceoryx_posh)
endif()
add_peer(iceoryx libiceoryx-posh-dev ${iceoryx_target})

add_executable(bench_limits EXCLUDE_FROM_ALL "${peers_folder}/limits.cpp")
mnet_settings(bench_limits)
set_target_properties(bench_limits PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
target_link_libraries(bench_limits PRIVATE mnet_peer_program)
add_dependencies(mnet_peers bench_limits)

file(WRITE "${PROJECT_BINARY_DIR}/peers_missing.txt" "${peers_missing}")
if(peers_missing)
    string(REGEX REPLACE "\n" "; " peers_missing_line "${peers_missing}")
    message(STATUS "peers of the benchmarks that are not there: ${peers_missing_line}")
endif()
