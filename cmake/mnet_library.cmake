# The library. `mnet::mnet` is what users link, and `mnet::simulation` for tests in a simulated world; `mnet_inside` and `simulation_inside` are
# the same code built static, for our tests, tool and fuzz targets, which reach rooms that a shared library hides.
find_package(Threads REQUIRED)
find_path(MNET_URING_INCLUDE liburing.h REQUIRED)  # Debian: liburing-dev
find_library(MNET_URING_LIBRARY uring REQUIRED)
find_package(OpenSSL 3 REQUIRED)  # Debian: libssl-dev

file(GLOB_RECURSE mnet_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/*.cpp")
list(FILTER mnet_sources EXCLUDE REGEX "/src/allocation_counter/")
set(simulation_sources ${mnet_sources})
list(FILTER mnet_sources EXCLUDE REGEX "/src/(io/simulated|simulation)/")
list(FILTER simulation_sources INCLUDE REGEX "/src/(io/simulated|simulation)/")
if(MNET_ROOMS)
    list(JOIN MNET_ROOMS "|" rooms)
    list(FILTER mnet_sources INCLUDE REGEX "/src/(${rooms})/")
endif()
if(NOT mnet_sources)
    message(FATAL_ERROR "src/ holds no sources")
endif()

# mnet_describe(TARGET): what compiling against the library needs, the same for each form of it.
function(mnet_describe target)
    mnet_settings(${target})
    target_compile_features(${target} PUBLIC cxx_std_23)
    target_include_directories(${target}
        PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>"
        PRIVATE "${PROJECT_SOURCE_DIR}/src")
    target_link_libraries(${target} PUBLIC Threads::Threads)
    target_compile_definitions(${target} PRIVATE MNET_VERSION="${PROJECT_VERSION}")
    target_include_directories(${target} SYSTEM PRIVATE "${MNET_URING_INCLUDE}")
    target_link_libraries(${target} PRIVATE uring OpenSSL::SSL OpenSSL::Crypto)
    if(MNET_CHECKED)
        target_compile_definitions(${target} PUBLIC MNET_CHECKED=1)
    endif()
endfunction()

# The kernel's tcp.h and the C library's do not go together, where files are compiled many at once (CMAKE_UNITY_BUILD).
set_source_files_properties("${PROJECT_SOURCE_DIR}/src/io/path.cpp" PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)

add_library(mnet_objects OBJECT ${mnet_sources})
mnet_describe(mnet_objects)
if(MNET_PLANTED_BUG)  # only where one can be (src/base/planted.hpp), so that the rest is compiled once for all of them
    foreach(source IN LISTS mnet_sources)
        file(STRINGS "${source}" places REGEX "is_planted" LIMIT_COUNT 1)
        if(places)
            set_property(SOURCE "${source}" APPEND PROPERTY COMPILE_DEFINITIONS MNET_PLANTED_BUG=${MNET_PLANTED_BUG})
        endif()
    endforeach()
endif()

# The simulated world is of the same code, and sees rooms that a shared library hides: it goes into libmnet.so. A static library leaves it to
# one of its own, so that who links mnet::mnet has none of it. Users link mnet::simulation in both forms.
add_library(simulation_objects OBJECT ${simulation_sources})
mnet_describe(simulation_objects)
if(BUILD_SHARED_LIBS)
    set(simulation_in_mnet $<TARGET_OBJECTS:simulation_objects>)
endif()

add_library(mnet $<TARGET_OBJECTS:mnet_objects> ${simulation_in_mnet})
add_library(mnet::mnet ALIAS mnet)
mnet_describe(mnet)
# Before 1.0 a minor version may change layouts, so it is part of the name that programs are bound to.
set_target_properties(mnet PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})

if(BUILD_SHARED_LIBS)
    add_library(mnet_inside STATIC EXCLUDE_FROM_ALL $<TARGET_OBJECTS:mnet_objects> ${simulation_in_mnet})
    mnet_describe(mnet_inside)
    add_library(mnet_simulation INTERFACE)
    target_link_libraries(mnet_simulation INTERFACE mnet)
    add_library(simulation_inside ALIAS mnet_inside)
else()
    add_library(mnet_inside ALIAS mnet)
    add_library(mnet_simulation STATIC $<TARGET_OBJECTS:simulation_objects>)
    target_link_libraries(mnet_simulation PUBLIC mnet)
    add_library(simulation_inside ALIAS mnet_simulation)
endif()
add_library(mnet::simulation ALIAS mnet_simulation)
set_target_properties(mnet_simulation PROPERTIES EXPORT_NAME simulation)

# Replaces operator new in the program that links it, for tests and benchmarks: <mnet/allocation_counter.hpp>.
add_library(mnet_allocation_counter STATIC "${PROJECT_SOURCE_DIR}/src/allocation_counter/operator_new.cpp")
add_library(mnet::allocation_counter ALIAS mnet_allocation_counter)
mnet_settings(mnet_allocation_counter)
target_compile_features(mnet_allocation_counter PUBLIC cxx_std_23)
target_include_directories(mnet_allocation_counter
    PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
set_target_properties(mnet_allocation_counter PROPERTIES EXPORT_NAME allocation_counter)
