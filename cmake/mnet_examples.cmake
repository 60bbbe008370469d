# examples/*.cpp: one program each, built as a user would build it, against the public headers and mnet::mnet alone; simulated_*
# against mnet::simulation too.
file(GLOB example_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/*.cpp")
foreach(source IN LISTS example_sources)
    cmake_path(GET source STEM name)
    add_executable(example_${name} ${source})
    mnet_settings(example_${name})
    set_target_properties(example_${name} PROPERTIES
        OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/examples")
    if(name MATCHES "^simulated_")
        target_link_libraries(example_${name} PRIVATE mnet::simulation)
    endif()
    target_link_libraries(example_${name} PRIVATE mnet::mnet)
endforeach()
