# The tool `mnet`: tools/mnet/ and the plain-socket program of bench/, in one executable that needs no libmnet.so beside it. The programs
# of bench/peers/ are not in it: mnet_peers.cmake.
file(GLOB tool_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tools/mnet/*.cpp" "${PROJECT_SOURCE_DIR}/bench/*.cpp")
if(tool_sources)
    find_package(CLI11 REQUIRED)
    find_package(fmt REQUIRED)
    find_package(nlohmann_json REQUIRED)

    add_executable(mnet_tool ${tool_sources})
    add_dependencies(mnet_tool mnet_simulation)  # installed with it
    mnet_settings(mnet_tool)
    # Joined, its files are compiled in half the time; g++ then takes each for a header, whose names would be everybody's.
    set_target_properties(mnet_tool PROPERTIES UNITY_BUILD ON)
    target_compile_options(mnet_tool PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
    set_target_properties(mnet_tool PROPERTIES OUTPUT_NAME mnet RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
    target_include_directories(mnet_tool PRIVATE
        "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/tools" "${PROJECT_SOURCE_DIR}/tools/mnet" "${PROJECT_SOURCE_DIR}/bench")
    target_compile_definitions(mnet_tool PRIVATE MNET_VERSION="${PROJECT_VERSION}")
    target_link_libraries(mnet_tool PRIVATE mnet_inside mnet::allocation_counter CLI11::CLI11 fmt::fmt nlohmann_json::nlohmann_json
        OpenSSL::SSL OpenSSL::Crypto)  # bench/bare_tls.cpp measures it
endif()
