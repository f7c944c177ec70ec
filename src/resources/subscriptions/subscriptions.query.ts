import type { CarrierLine, LineQuery } from '../../core/carrier.js';
import { parseDeviceId, readDeviceId } from '../../core/device-id.js';
import { AppError, InvalidError, type Issue } from '../../core/errors.js';
import { MDN_MESSAGE, parseMdn } from '../../core/mdn.js';
import { parseSim, SIM_MESSAGE } from '../../core/sim.js';
import type { Identifiers } from './subscriptions.claims.js';
import type { IdentifierKind } from './subscriptions.store.js';

/** How a client names a line; each in any spelling. */
export interface LineNames {
  readonly mdn?: string | undefined;
  readonly esn?: string | undefined;
  readonly sim?: string | undefined;
}

/** The identifiers of a request, canonical. */
export type NamedLine = Partial<Readonly<Record<IdentifierKind, string>>>;

/** Which identifier is asked for, first the one that counts most (top-support.md A4-22). */
const PRECEDENCE = ['mdn', 'sim', 'esn'] as const;

/** The canonical identifier of a text, or what is wrong with it. */
function readNamed(kind: IdentifierKind, text: string): string | Omit<Issue, 'path' | 'details'> {
  if (kind === 'esn') {
    const device = readDeviceId(text, { strict: true });
    return 'id' in device ? device.id : device;
  }
  const value = kind === 'mdn' ? parseMdn(text) : parseSim(text);
  const message = kind === 'mdn' ? MDN_MESSAGE : SIM_MESSAGE;
  return value ?? { rule: 'wrong_format', message };
}

/** What a client named, canonical; all faults at once, one of the three has to be there. */
export function readNames(names: LineNames): NamedLine {
  const issues: Issue[] = [];
  const named: Partial<Record<IdentifierKind, string>> = {};
  for (const kind of PRECEDENCE) {
    const text = names[kind];
    if (text === undefined) continue;
    const value = readNamed(kind, text);
    if (typeof value === 'string') named[kind] = value;
    else issues.push({ path: [kind], ...value, details: { value: text } });
  }
  if (issues.length > 0) throw new InvalidError(issues);
  if (Object.keys(named).length > 0) return named;
  const message = 'One of mdn, esn and sim is required';
  throw new InvalidError([{ path: ['mdn'], rule: 'required', message, details: { value: 'mdn' } }]);
}

/** The identifier by which a carrier is asked. */
export function queryOf(named: NamedLine): { readonly kind: IdentifierKind; query: LineQuery } {
  const kind = PRECEDENCE.find((each) => named[each] !== undefined) ?? 'mdn';
  return { kind, query: { [kind]: named[kind] } as unknown as LineQuery };
}

/**
 * A carrier's identifiers, canonical. Wrong check digits are kept, as networks write them; what
 * cannot be read at all can be nobody's key, so it is the carrier's bad answer.
 */
export function identifiersOf(line: CarrierLine): Identifiers {
  const read = (kind: IdentifierKind, text: string | null, value: string | undefined) => {
    if (text === null) return null;
    if (value !== undefined) return value;
    throw badAnswer(`the carrier's ${kind} of the line cannot be read`);
  };
  const { mdn, sim, esn } = line;
  const device = parseDeviceId(esn ?? '', { strict: false });
  const identifiers = {
    mdn: read('mdn', mdn, parseMdn(mdn ?? '')),
    sim: read('sim', sim, parseSim(sim ?? '')),
    esn: read('esn', esn, device?.id),
  };
  if (Object.values(identifiers).every((value) => value === null)) {
    throw badAnswer('the carrier says nothing that identifies the line');
  }
  return identifiers;
}

/**
 * Refuses a line that is not the one asked for, and one of which the carrier says otherwise than
 * the client (A4-22: never guess).
 */
export function checkAnswer(named: NamedLine, asked: IdentifierKind, found: Identifiers): void {
  if (found[asked] !== named[asked]) throw badAnswer(`the carrier gave another line's ${asked}`);
  const issues = PRECEDENCE.flatMap((kind): Issue[] => {
    const value = named[kind];
    if (value === undefined || value === found[kind]) return [];
    const message = `The carrier has another ${kind} for this ${asked}`;
    return [{ path: [kind], rule: 'invalid', message, details: { value, target: found[kind] } }];
  });
  if (issues.length > 0) throw new InvalidError(issues);
}

/** No such line at the carrier; says by which identifier it was asked. */
export function noSuchLine(asked: IdentifierKind, named: NamedLine): AppError {
  return new AppError('not_found', `the carrier has no line with this ${asked}`, {
    ...(named[asked] === undefined ? {} : { subject: named[asked] }),
    details: { identifier: asked },
  });
}

function badAnswer(message: string): AppError {
  return new AppError('bad_gateway', message, { reason: 'carrier_bad_answer' });
}
