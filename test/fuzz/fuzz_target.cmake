# rawstack_fuzz_target(NAME [DEPS target...] [SOURCES file...] [MUTATIONS n])
#
# A fuzz target: NAME_fuzz.c (or SOURCES, C or C++) defines LLVMFuzzerTestOneInput; its corpus is
# corpus/NAME/. Made are
#   fuzz_NAME_replay   always: runs the corpus and n seeded mutations of it (2000), as ctest
#                      fuzz.NAME, label "fuzz"
#   fuzz_NAME          with RAWSTACK_FUZZ (clang): the libFuzzer program (`fuzz_NAME NEW_FOLDER
#                      corpus/NAME`). Its bounded run is ctest fuzz.NAME.libfuzzer.
function(rawstack_fuzz_target name)
    cmake_parse_arguments(F "" "MUTATIONS" "DEPS;SOURCES" ${ARGN})
    if(NOT F_SOURCES)
        set(F_SOURCES ${name}_fuzz.c)
    endif()
    if(NOT F_MUTATIONS)
        set(F_MUTATIONS 2000)
    endif()
    set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})

    add_executable(fuzz_${name}_replay ${F_SOURCES} ${PROJECT_SOURCE_DIR}/test/fuzz/replay.c)
    target_link_libraries(fuzz_${name}_replay PRIVATE ${F_DEPS})
    target_include_directories(fuzz_${name}_replay PRIVATE ${PROJECT_SOURCE_DIR}/test/fuzz)
    add_test(NAME fuzz.${name} COMMAND fuzz_${name}_replay ${corpus} ${F_MUTATIONS})
    set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 120)

    if(RAWSTACK_FUZZ)
        add_executable(fuzz_${name} ${F_SOURCES})
        target_link_libraries(fuzz_${name} PRIVATE ${F_DEPS})
        target_include_directories(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR}/test/fuzz)
        target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
        # What it finds new goes to the first folder, not to the sources.
        file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/found_${name})
        add_test(NAME fuzz.${name}.libfuzzer
            COMMAND fuzz_${name} -seed=1 -runs=${F_MUTATIONS} -max_len=4096
            ${CMAKE_CURRENT_BINARY_DIR}/found_${name} ${corpus})
        set_tests_properties(fuzz.${name}.libfuzzer PROPERTIES LABELS fuzz TIMEOUT 120)
    endif()
endfunction()
