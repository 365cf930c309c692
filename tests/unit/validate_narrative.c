/* SPDX-License-Identifier: MIT */
#include "validate/validate_int.h"
#include "validate_test.h"

#define DIV(text) "<div xmlns=\"http://www.w3.org/1999/xhtml\">" text "</div>"

static bool is_fine(const char *text)
{
    size_t offset;
    const char *fault = narrative_fault(slice_text(text), &offset);
    assert_true(offset <= strlen(text));
    return fault == NULL;
}

#define assert_safe(text)    assert_true(is_fine(text))
#define assert_refused(text) assert_false(is_fine(text))

static void accepts_formatting(void **state)
{
    (void)state;
    assert_safe(DIV("x"));
    assert_safe(
        "\n " DIV("<p class='a' title=\"b\">x<br/>y &lt; &#160; &#xA9; \xC2\xA9</p>") " \n");
    assert_safe(DIV("<!-- note --><table border=\"1\"><tbody><tr><td colspan=\"2\">x</td></tr>"
                    "</tbody></table>"));
    assert_safe(DIV("<img src=\"data:image/png;base64,AAAA\" alt=\"\"/>"));
    assert_safe(DIV("<a href=\"https://example.org/?a=1&amp;b=2\">x</a><a href=\"#top\">y</a>"
                    "<a href=\"Patient/1\">z</a><a name=\"top\" href=\"?a:b\">w</a>"));
    assert_safe(DIV("<span style=\"color: red; background: url(pictures/a.png)\">x</span>"));
}

static void refuses_what_runs(void **state)
{
    (void)state;
    assert_refused(DIV("<script>x</script>"));
    assert_refused(DIV("<SCRIPT>x</SCRIPT>"));
    assert_refused(DIV("<p onclick=\"x()\">x</p>"));
    assert_refused(DIV("<iframe src=\"x\">x</iframe>"));
    assert_refused(DIV("<object>x</object>"));
    assert_refused(DIV("<form>x</form>"));
    assert_refused(DIV("<svg>x</svg>"));
    assert_refused(DIV("<link href=\"x\"/>x"));
    assert_refused(DIV("<x:p>x</x:p>"));
}

static void refuses_links_that_run_however_they_are_written(void **state)
{
    (void)state;
    assert_refused(DIV("<a href=\"javascript:x()\">x</a>"));
    assert_refused(DIV("<a href=\" JaVaScRiPt:x()\">x</a>"));
    assert_refused(DIV("<a href=\"java&#9;script:x()\">x</a>"));
    assert_refused(DIV("<a href=\"&#x6A;avascript:x()\">x</a>"));
    assert_refused(DIV("<a href=\"java\nscript:x()\">x</a>"));
    assert_refused(DIV("<a href=\"vbscript:x\">x</a>"));
    assert_refused(DIV("<a href=\"data:text/html,x\">x</a>"));
    assert_refused(DIV("<a href=\"data:image/png;base64,AAAA\">x</a>"));
    assert_refused(DIV("<a href=\"file:///etc/passwd\">x</a>"));
    assert_refused(DIV("<img src=\"data:image/svg+xml,x\"/>"));
    assert_refused(DIV("<blockquote cite=\"javascript:x\">x</blockquote>"));
}

static void refuses_styles_that_run(void **state)
{
    (void)state;
    assert_refused(DIV("<p style=\"width: expression(x)\">x</p>"));
    assert_refused(DIV("<p style=\"width: exp\\ression(x)\">x</p>"));
    assert_refused(DIV("<p style=\"-moz-binding: url(x)\">x</p>"));
    assert_refused(DIV("<p style=\"@import 'x'\">x</p>"));
    assert_refused(DIV("<p style=\"background: url(javascript:x)\">x</p>"));
    assert_refused(DIV("<p style=\"background: url( 'javascript:x')\">x</p>"));
    assert_refused(DIV("<p style=\"background: URL(data:text/html,x)\">x</p>"));
    assert_refused(DIV("<p style=\"background: url(x\">x</p>"));
    assert_refused(DIV("<p style=\"behavior: url(x)\">x</p>"));
}

static void refuses_what_browsers_and_xml_read_differently(void **state)
{
    (void)state;
    assert_refused(DIV("<![CDATA[x]]>"));
    assert_refused(DIV("<?php x?>x"));
    assert_refused("<!DOCTYPE html>" DIV("x"));
    assert_refused(DIV("<!-->x<img src=\"y\"/>-->"));
    assert_refused(DIV("<!--->x-->"));
    assert_refused(DIV("<!-- a -- b -->x"));
    assert_refused(DIV("&nbsp;"));
    assert_refused(DIV("x &amp y"));
    assert_refused(DIV("x & y"));
    assert_refused(DIV("&#0;x"));
    assert_refused(DIV("&#xD800;x"));
    assert_refused(DIV("&#x110000;x"));
    assert_refused(DIV("a ]]> b"));
    assert_refused(DIV("x\x01"));
}

static void refuses_what_is_not_well_formed(void **state)
{
    (void)state;
    assert_refused("");
    assert_refused("x");
    assert_refused("<p xmlns=\"http://www.w3.org/1999/xhtml\">x</p>");
    assert_refused("<div>x</div>");
    assert_refused("<div xmlns=\"http://example.org\">x</div>");
    assert_refused("<div xmlns=\"http://www.w3.org/1999/xhtml\">x");
    assert_refused(DIV("x") "y");
    assert_refused(DIV("x") DIV("x"));
    assert_refused(DIV("<p>x"));
    assert_refused(DIV("<b><i>x</b></i>"));
    assert_refused(DIV("</p>x"));
    assert_refused(DIV("<p class=a>x</p>"));
    assert_refused(DIV("<p class>x</p>"));
    assert_refused(DIV("<p class=\"a\"id=\"b\">x</p>"));
    assert_refused(DIV("<p class=\"a\" class=\"b\">x</p>"));
    assert_refused(DIV("<p title=\"<\">x</p>"));
    assert_refused(DIV("x < y"));
    assert_refused("<div xmlns=\"http://www.w3.org/1999/xhtml");
    assert_refused("<div xmlns=\"http://www.w3.org/1999/xhtml\"><p");
    assert_refused("<div xmlns=\"http://www.w3.org/1999/xhtml\"><!--");
    assert_refused("<div xmlns=\"http://www.w3.org/1999/xhtml\">&");
}

static void must_say_something(void **state)
{
    (void)state;
    assert_refused(DIV(""));
    assert_refused(DIV(" \n&#9;"));
    assert_refused(DIV("<p> </p>"));
    assert_refused("<div xmlns=\"http://www.w3.org/1999/xhtml\"/>");
    assert_refused(DIV("<img alt=\"x\"/>"));
}

static void survives_every_cut_and_every_changed_byte(void **state)
{
    (void)state;
    static const char text[] =
        DIV("<!-- a --><p style=\"color: red; background: url('x')\">&lt;&#x41;"
            "<a href='http://x'>y</a><br/></p>");
    char copy[sizeof text];
    size_t offset;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        assert_non_null(narrative_fault(slice_of(text, i), &offset));
        for (unsigned byte = 1; byte < 256; byte++) {
            memcpy(copy, text, sizeof text);
            copy[i] = (char)byte;
            (void)narrative_fault(slice_of(copy, sizeof text - 1), &offset);
            assert_true(offset < sizeof text);
        }
    }
}

static void reports_through_the_resource(void **state)
{
    (void)state;
    assert_problem("{'resourceType':'Patient','text':{'status':'generated','div':'<div>x</div>'}}",
                   "txt-1@Patient.text.div");
    assert_problem("{'resourceType':'Patient','text':{'status':'x'}}",
                   "binding@Patient.text.status cardinality@Patient.text");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FHIR_TEST(accepts_formatting),
        FHIR_TEST(refuses_what_runs),
        FHIR_TEST(refuses_links_that_run_however_they_are_written),
        FHIR_TEST(refuses_styles_that_run),
        FHIR_TEST(refuses_what_browsers_and_xml_read_differently),
        FHIR_TEST(refuses_what_is_not_well_formed),
        FHIR_TEST(must_say_something),
        FHIR_TEST(survives_every_cut_and_every_changed_byte),
        FHIR_TEST(reports_through_the_resource),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
