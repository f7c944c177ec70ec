import { parseDeviceId } from '../core/device-id.js';
import { AppError } from '../core/errors.js';
import { parseMdn } from '../core/mdn.js';
import { parseSim } from '../core/sim.js';

/** A line as it was typed: by one identifier, canonical. */
export interface TypedLine {
  readonly kind: 'mdn' | 'esn' | 'sim';
  readonly value: string;
}

const READERS = {
  mdn: parseMdn,
  esn: (text: string) => parseDeviceId(text, { strict: true })?.id,
  sim: parseSim,
} as const satisfies Record<TypedLine['kind'], (text: string) => string | undefined>;

const KINDS = ['mdn', 'esn', 'sim'] as const;
const MARKED = /^(mdn|esn|sim):(.*)$/s;

/** How the argument is described in help. */
export const LINE_DETAILS = [
  'line: its MDN, ESN (MEID, IMEI) or SIM in any spelling; mdn:, esn: or sim: before digits that',
  'may be either.',
] as const;

/**
 * The identifier that was typed. `invalid` for a text that is none, and for one that may be several
 * and has no mark: eleven digits are a number or a decimal ESN.
 */
export function readTypedLine(text: string): TypedLine {
  const [, mark, marked = ''] = MARKED.exec(text) ?? [];
  const kinds = KINDS.filter((kind) => mark === undefined || kind === mark);
  const found = kinds.flatMap((kind): TypedLine[] => {
    const value = READERS[kind](mark === undefined ? text : marked);
    return value === undefined ? [] : [{ kind, value }];
  });
  const [line] = found;
  if (line === undefined) {
    throw new AppError('invalid', `${text} is no ${kinds.join(', ').toUpperCase()}`);
  }
  if (found.length > 1) {
    const marks = found.map(({ kind }) => `${kind}:${text}`).join(' or ');
    throw new AppError('invalid', `${text} may be several things; type ${marks}`);
  }
  return line;
}
