/* Letters as SVG paths, so that pictures need no fonts: filled capitals for logos, and a stroked face for titles and axes. */
#ifndef SN_REPORT_GLYPHS_H
#define SN_REPORT_GLYPHS_H

/* Path of a logo letter that fills the box (0,0)-(100,100), y downwards; to be filled with fill-rule evenodd. NULL: draw the stroked glyph.
 */
const char *sn_glyph_logo(char c);

/* A stroked glyph: cap height 10, baseline at y = 10, descenders to 13; *width without side bearing. Characters without a glyph (and each
 * byte of one beyond ASCII) give a box. */
const char *sn_glyph_stroke(char c, double *width);
/* Width of a text in the same units: glyphs and the gaps between them. */
double sn_glyph_text_width(const char *s);

#define SN_GLYPH_GAP 2.2

#endif
