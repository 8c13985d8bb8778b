// README's chart: horizontal bars in groups.
import type { Bar, Part } from "./part.ts";
import { escaped, svgOf } from "./svg.ts";

const [width, labelWidth, barHeight, gap, groupGap] = [760, 170, 18, 6, 44];
const style = ".ours { fill: #1f6feb } .other { fill: #8c959f }";

/** The chart of all parts that have bars. */
export function chartOf(parts: readonly Part[]): string {
  const groups = Map.groupBy(
    parts.flatMap(({ bars = [] }) => bars),
    ({ group }) => group,
  );
  let y = 0;
  const drawn = [...groups].map(([title, bars]) => {
    const text = drawGroup(title, bars, y);
    y += groupGap + bars.length * (barHeight + gap);
    return text;
  });
  const title = "Times of first and repeated gets; shorter is better";
  return svgOf({ width, height: y + 10, title, style }, drawn);
}

function drawGroup(title: string, bars: readonly Bar[], top: number): string {
  const longest = Math.max(...bars.map(({ ms }) => ms));
  const lines = bars.map(({ name, ms }, index) => {
    const y = top + 32 + index * (barHeight + gap);
    const length = Math.max(1, Math.round((ms / longest) * (width - labelWidth - 90)));
    const kind = name.startsWith("ours") ? "ours" : "other";
    return `<text x="${labelWidth - 8}" y="${y + 13}" text-anchor="end">${escaped(name)}</text>
<rect class="${kind}" x="${labelWidth}" y="${y}" width="${length}" height="${barHeight}" rx="2"/>
<text x="${labelWidth + length + 8}" y="${y + 13}">${(ms / 1000).toFixed(2)} s</text>`;
  });
  return [`<text class="head" x="0" y="${top + 18}">${escaped(title)}</text>`, ...lines].join("\n");
}
