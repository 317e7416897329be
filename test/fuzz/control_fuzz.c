/* SPDX-License-Identifier: BSD-2-Clause */
/* The control channel's lines, and the texts of faults and trace filters within them. */
#include "fuzz.h"

#include "cxemu/control/command.h"
#include "cxemu/core/fault.h"
#include "cxemu/trace/tracer.h"

#include <stdlib.h>
#include <string.h>

/* What parses prints as a text that parses to the same. */
static void check_fault(const char *text)
{
    struct cxemu_fault_spec spec, again;
    char printed[2 * CXEMU_FAULT_TEXT_MAX];

    if (cxemu_fault_parse(text, &spec, NULL, 0))
        return;
    cxemu_fault_print(&spec, printed, sizeof(printed));
    FUZZ_CHECK(cxemu_fault_parse(printed, &again, NULL, 0) == 0);
    FUZZ_CHECK(spec.kind == again.kind && spec.target == again.target && spec.err == again.err);
    FUZZ_CHECK(spec.after == again.after && spec.count == again.count && spec.ppm == again.ppm);
    FUZZ_CHECK(spec.time_ns == again.time_ns && strcmp(spec.name, again.name) == 0);
}

static void check_line(const char *line)
{
    struct cxemu_control_trace trace;
    char *answer = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&answer, &len);

    if (!out)
        return;
    cxemu_control_run(line, out);
    fclose(out);
    FUZZ_CHECK(len > 0 && answer[len - 1] == '\n'); /* it always answers */
    free(answer);
    (void)!cxemu_control_is_trace(line, &trace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cxemu_trace_filter filter;
    char text[2048];

    if (size >= sizeof(text))
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    check_fault(text);
    check_line(text);
    (void)!cxemu_trace_filter_parse(text, &filter, NULL, 0);
    return 0;
}
