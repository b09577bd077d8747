import { COMMANDS, type Scale } from "./scale.js";

const [WIDTH, HEIGHT] = [300, 200];
const MARGIN = { left: 44, right: 12, top: 28, bottom: 30 };
const COLORS = ["#1b6ca8", "#d1495b", "#66a182", "#edae49"];

/** Curves as SVG: a panel for each command, a curve for each runtime; both axes are logarithmic. */
export function plot(scales: readonly Scale[]): string {
  const panels = COMMANDS.map((command, i) => {
    const curves = scales.map(({ runtime, points }) => ({
      title: runtime.title,
      points: points.map(({ count, times }) => [count, times[command].median] as const),
    }));
    return `<g transform="translate(${i * WIDTH} 0)">${panel(command, curves)}</g>`;
  });
  const legend = scales.map(
    ({ runtime }, i) =>
      `<text x="${MARGIN.left + i * 140}" y="${HEIGHT + 18}" fill="${COLORS[i % COLORS.length]}">${escaped(runtime.title)}</text>`,
  );
  const size = `width="${COMMANDS.length * WIDTH}" height="${HEIGHT + 28}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="white"/>
${[...panels, ...legend].join("\n")}
</svg>
`;
}

interface Curve {
  readonly title: string;
  /** Count and milliseconds. */
  readonly points: readonly (readonly [number, number])[];
}

function panel(title: string, curves: readonly Curve[]): string {
  const all = curves.flatMap(({ points }) => points);
  const xs = axis(
    all.map(([count]) => count),
    MARGIN.left,
    WIDTH - MARGIN.right,
  );
  const ys = axis(
    all.map(([, time]) => time),
    HEIGHT - MARGIN.bottom,
    MARGIN.top,
  );
  const grid = [
    ...xs.ticks.map(
      (x) =>
        `<path d="M${xs.at(x)} ${MARGIN.top}V${HEIGHT - MARGIN.bottom}" stroke="#ddd"/>
<text x="${xs.at(x)}" y="${HEIGHT - MARGIN.bottom + 14}" text-anchor="middle">${x}</text>`,
    ),
    ...ys.ticks.map(
      (y) =>
        `<path d="M${MARGIN.left} ${ys.at(y)}H${WIDTH - MARGIN.right}" stroke="#ddd"/>
<text x="${MARGIN.left - 4}" y="${ys.at(y) + 4}" text-anchor="end">${y}</text>`,
    ),
  ];
  const lines = curves.map(({ points }, i) => {
    const path = points.map(([count, time], k) => `${k === 0 ? "M" : "L"}${xs.at(count)} ${ys.at(time)}`);
    return `<path d="${path.join("")}" fill="none" stroke="${COLORS[i % COLORS.length]}" stroke-width="2"/>`;
  });
  const heading = `<text x="${MARGIN.left}" y="16" font-weight="bold">${escaped(title)} (ms, beside so many containers)</text>`;
  return [heading, ...grid, ...lines].join("\n");
}

/** A logarithmic axis that holds some values, between whole powers of ten, which are its ticks. */
function axis(values: readonly number[], from: number, to: number) {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return {
    at: (value: number) => round(from + ((Math.log10(value) - low) / (high - low)) * (to - from)),
    ticks: Array.from({ length: high - low + 1 }, (_, i) => round(10 ** (low + i))),
  };
}

const round = (value: number): number => Number(value.toPrecision(4));

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
