# What every target of this build shares: the language, the warnings, the compiler cache. Nothing here reaches a user of the library.
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)

if(PROJECT_IS_TOP_LEVEL)
    if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
        set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, RelWithDebInfo or Debug" FORCE)
    endif()
    find_program(MNET_CCACHE ccache)
    if(MNET_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
        # Relative to the source folder, so that two clones share what they have compiled. The sloppiness is what precompiled
        # headers need (ccache manual, "Precompiled headers").
        set(CMAKE_CXX_COMPILER_LAUNCHER
            env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=true
            CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${MNET_CCACHE})
    endif()
endif()

# mnet_settings(TARGET): how we compile our own code.
function(mnet_settings target)
    target_compile_features(${target} PRIVATE cxx_std_23)
    set_target_properties(${target} PROPERTIES
        CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wpedantic -Wconversion -Wshadow
        # g++ 12 sees overlaps in std::string that are not there (GCC bug 105651, mended in 13).
        $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
        $<$<BOOL:${MNET_WERROR}>:-Werror>
        -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=)
endfunction()
