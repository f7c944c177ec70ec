import { parseDeviceId } from '../../core/device-id.js';
import { parseMdn } from '../../core/mdn.js';
import { parseSim } from '../../core/sim.js';

const KEYS = {
  mdn: parseMdn,
  esn: (text: string) => parseDeviceId(text, { strict: false })?.id,
  sim: parseSim,
};

/**
 * One spelling of an identifier, for finding a line by any of them. The sandbox keeps what it was
 * given and answers that, as carriers do, even what is no identifier at all; only its index is
 * normalised.
 */
export function keyOf(kind: 'mdn' | 'esn' | 'sim', text: string): string {
  return KEYS[kind](text) ?? text;
}
