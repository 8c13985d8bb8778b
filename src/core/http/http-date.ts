/** The three forms of an HTTP date (RFC 9110, section 5.6.7). `Date.parse` takes much more, and one of them as local time. */
import { wallMs } from "../clock.ts";

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const month = `(?<month>${months.join("|")})`;
const time = String.raw`(?<hour>[01]\d|2[0-3]):(?<minute>[0-5]\d):(?<second>[0-5]\d|60)`;
const forms = [
  String.raw`[A-Z][a-z]{2}, (?<day>[0-2]\d|3[01]) ${month} (?<year>\d{4}) ${time} GMT`,
  String.raw`[A-Z][a-z]{5,8}, (?<day>[0-2]\d|3[01])-${month}-(?<year>\d\d) ${time} GMT`,
  String.raw`[A-Z][a-z]{2} ${month} (?<day>[ 0-2]\d|3[01]) ${time} (?<year>\d{4})`,
].map((form) => new RegExp(`^${form}$`));

/** Milliseconds since 1970; `undefined` for what is no HTTP date. */
export function parseHttpDate(field: string): number | undefined {
  for (const form of forms) {
    const { year, month, day, hour, minute, second } = form.exec(field)?.groups ?? {};
    if (year === undefined) continue;
    return Date.UTC(fullYear(year), months.indexOf(month!), ...numbers(day!, hour!, minute!, second!));
  }
  return undefined;
}

const numbers = (...texts: [string, string, string, string]) =>
  texts.map(Number) as [number, number, number, number];

/** Two digits more than 50 years ahead mean the past. */
function fullYear(digits: string): number {
  if (digits.length === 4) return Number(digits);
  const thisYear = new Date(wallMs()).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + Number(digits);
  return year > thisYear + 50 ? year - 100 : year;
}
