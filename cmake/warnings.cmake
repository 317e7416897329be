# Warnings are errors for our own code, with gcc and clang alike.
add_compile_options(-Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wundef -Wvla
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>
    -fno-common -fno-strict-aliasing)

if(RAWSTACK_SANITIZE)
    add_compile_options(-fsanitize=${RAWSTACK_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${RAWSTACK_SANITIZE})
endif()
