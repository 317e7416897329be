# One static target per source folder, so that a dependency that design does not allow fails to
# link (and, as include paths travel with the link, to compile).

# rawstack_folder(NAME [HOT] [DEPS target...] [PRIVATE target...])
# HOT: its files call each other for each packet. In a release build the link inlines across them.
function(rawstack_folder name)
    cmake_parse_arguments(F "HOT" "" "DEPS;PRIVATE" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
    if(sources)
        add_library(rs_${name} STATIC ${sources})
        set(scope PUBLIC)
        if(F_HOT)
            set_target_properties(rs_${name} PROPERTIES
                INTERPROCEDURAL_OPTIMIZATION_RELWITHDEBINFO ${RAWSTACK_IPO}
                INTERPROCEDURAL_OPTIMIZATION_RELEASE ${RAWSTACK_IPO})
        endif()
        if(F_PRIVATE)
            target_link_libraries(rs_${name} PRIVATE ${F_PRIVATE})
        endif()
    else()
        add_library(rs_${name} INTERFACE)
        set(scope INTERFACE)
    endif()
    target_include_directories(rs_${name} ${scope} ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
    if(F_DEPS)
        target_link_libraries(rs_${name} ${scope} ${F_DEPS})
    endif()
endfunction()

# rawstack_program(NAME [INSTALL] [SOURCES file...] [DEPS target...]): a program on the public headers.
function(rawstack_program name)
    cmake_parse_arguments(P "INSTALL" "" "SOURCES;DEPS" ${ARGN})
    add_executable(${name} ${P_SOURCES})
    target_link_libraries(${name} PRIVATE ${P_DEPS})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/include)
    if(P_INSTALL)
        install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    endif()
endfunction()

# rawstack_unit_tests(FOLDER DEPS target...): every *_test.cc of this folder into one binary, each
# gtest case a ctest case.
function(rawstack_unit_tests folder)
    cmake_parse_arguments(T "" "" "DEPS;LABELS" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cc)
    if(NOT sources)
        return()
    endif()
    add_executable(test_${folder} ${sources})
    target_link_libraries(test_${folder} PRIVATE ${T_DEPS} GTest::gtest GTest::gtest_main)
    target_compile_options(test_${folder} PRIVATE -Wno-missing-field-initializers)
    gtest_discover_tests(test_${folder} TEST_PREFIX ${folder}. NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60
        PROPERTIES TIMEOUT 120 SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]")
endfunction()
