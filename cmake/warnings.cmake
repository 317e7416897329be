# Warnings are errors for our own code, with gcc and clang alike.
add_compile_options(-Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wundef -Wvla
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>
    -fno-common -fno-strict-aliasing)

if(RAWSTACK_SANITIZE)
    add_compile_options(-fsanitize=${RAWSTACK_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${RAWSTACK_SANITIZE})
endif()

# Coverage for the fuzzer in all our code; only the fuzz targets link the fuzzer itself.
if(RAWSTACK_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
    add_link_options(-fsanitize=fuzzer-no-link)
endif()
