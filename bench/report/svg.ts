// What the charts share: an SVG that reads on light and dark pages.

/** A drawing of that size, with what styles it beside the text. */
export function svgOf(
  { width, height, title, style }: { width: number; height: number; title: string; style: string },
  body: readonly string[],
): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" font-family="system-ui, sans-serif" font-size="13">
<title>${escaped(title)}</title>
<style>text { fill: #57606a } .head { font-weight: 600 } ${style} @media (prefers-color-scheme: dark) { text { fill: #b1bac4 } }</style>
${body.join("\n")}
</svg>
`;
}

/** Text as it may stand in the drawing. */
export const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
