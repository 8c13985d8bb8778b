// The chart of growth: a panel for each part that has curves.
import type { Curves, Part, Point } from "./part.ts";
import { escaped, svgOf } from "./svg.ts";

const [panelWidth, plotHeight, gap, left, top] = [250, 140, 30, 34, 34];
const lineHeight = 18;
const style =
  "polyline { fill: none; stroke-width: 2 } .axis { stroke: #8c959f; stroke-width: 1 } .c0 { stroke: #1f6feb } .c1 { stroke: #bf8700 } .c2 { stroke: #1a7f37 } .c3 { stroke: #cf222e } .c4 { stroke: #8250df }";

/** What a unit costs, in multiples of what it costs where there are fewest of them. */
export function curvesOf(parts: readonly Part[]): string {
  const panels = parts.flatMap(({ curves }) => (curves ? [relative(curves)] : []));
  const most = Math.max(
    ...panels.flatMap(({ lines }) => lines.flatMap(({ points }) => points.map(({ y }) => y))),
  );
  const limit = Math.max(2, Math.ceil(most));
  const names = Math.max(...panels.map(({ lines }) => lines.length));
  const [width, height] = [panels.length * (panelWidth + gap), top + plotHeight + 30 + names * lineHeight];
  const title = "What a unit costs as there are more of them; flat or falling is good";
  const drawn = panels.map((panel, index) => drawPanel(panel, index * (panelWidth + gap), limit));
  return svgOf({ width, height, title, style }, drawn);
}

function relative({ title, lines }: Curves): Curves {
  const toFirst = (points: readonly Point[]) => points.map(({ x, y }) => ({ x, y: y / points[0]!.y }));
  return { title, lines: lines.map(({ name, points }) => ({ name, points: toFirst(points) })) };
}

/** The horizontal axis is logarithmic, from the fewest to the most. */
function drawPanel({ title, lines }: Curves, x0: number, limit: number): string {
  const xs = lines[0]!.points.map(({ x }) => x);
  const [first, last] = [Math.log(xs[0]!), Math.log(xs.at(-1)!)];
  const atX = (x: number) =>
    Math.round(x0 + left + ((Math.log(x) - first) / (last - first)) * (panelWidth - left - 20));
  const atY = (y: number) => Math.round(top + plotHeight * (1 - y / limit));
  const ticks = [0, 1, limit].map(
    (y) =>
      `<line class="axis" x1="${x0 + left}" x2="${x0 + panelWidth - 20}" y1="${atY(y)}" y2="${atY(y)}" opacity="${y === 0 ? 1 : 0.4}"/><text x="${x0 + left - 6}" y="${atY(y) + 4}" text-anchor="end">${y}x</text>`,
  );
  // Where two would touch, the second says more.
  const spaced = xs.filter((x, index) => index === xs.length - 1 || atX(xs[index + 1]!) - atX(x) >= 30);
  const labels = spaced.map(
    (x) => `<text x="${atX(x)}" y="${top + plotHeight + 16}" text-anchor="middle">${x}</text>`,
  );
  const drawn = lines.map(({ name, points }, index) => {
    const y = top + plotHeight + 30 + index * lineHeight;
    const path = points.map((point) => `${atX(point.x)},${atY(point.y)}`).join(" ");
    return `<polyline class="c${index}" points="${path}"/><line class="c${index}" stroke-width="2" x1="${x0 + left}" x2="${x0 + left + 16}" y1="${y + 4}" y2="${y + 4}"/><text x="${x0 + left + 22}" y="${y + 8}">${escaped(name)}</text>`;
  });
  const head = `<text class="head" x="${x0}" y="18">Cost of ${escaped(title)}</text>`;
  return [head, ...ticks, ...labels, ...drawn].join("\n");
}
