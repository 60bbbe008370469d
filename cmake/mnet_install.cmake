# `cmake --install`: headers, library, the CMake package, mnet.pc, the tool with its man page and completion, the licence.
include(CMakePackageConfigHelpers)

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/mnet" TYPE INCLUDE FILES_MATCHING PATTERN "*.hpp")
install(TARGETS mnet mnet_simulation mnet_allocation_counter EXPORT mnetTargets)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" TYPE DOC)

set(package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/mnet")
install(EXPORT mnetTargets NAMESPACE mnet:: DESTINATION "${package_folder}")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/mnetConfig.cmake.in" "${PROJECT_BINARY_DIR}/mnetConfig.cmake"
    INSTALL_DESTINATION "${package_folder}")
# Before 1.0 a minor version may change layouts.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/mnetConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/mnetConfig.cmake" "${PROJECT_BINARY_DIR}/mnetConfigVersion.cmake" DESTINATION "${package_folder}")

# Paths relative to the .pc file, so that an installed tree can be moved.
set(pc_folder "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig")
file(RELATIVE_PATH pc_to_prefix "${pc_folder}" "${CMAKE_INSTALL_PREFIX}")
file(RELATIVE_PATH pc_to_include "${pc_folder}" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
set(pc_definitions "")
if(MNET_CHECKED)
    set(pc_definitions " -DMNET_CHECKED=1")
endif()
set(pc_libraries "")
if(NOT BUILD_SHARED_LIBS)
    set(pc_libraries " -luring -lssl -lcrypto")
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/mnet.pc.in" "${PROJECT_BINARY_DIR}/mnet.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/mnet.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

if(TARGET mnet_tool)
    install(TARGETS mnet_tool)
    install(FILES "${PROJECT_SOURCE_DIR}/docs/man/mnet.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" OPTIONAL)
    install(FILES "${PROJECT_SOURCE_DIR}/packaging/completion/mnet"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" OPTIONAL)
endif()
