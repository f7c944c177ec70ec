import { z } from 'zod';
import type { DeviceFields } from './devices.doc.js';
import { sentMembers, settableFields } from './devices.schema.js';
import { identifierMembers, needsOneOf } from './subscriptions.schema.js';

/** What a line is imported by; at least one is there. */
export interface AskedLine {
  readonly mdn?: string;
  readonly sim?: string;
  readonly esn?: string;
}

/** The body of an import by subscription. */
export const subscriptionImportBody = z
  .looseObject({
    ...identifierMembers,
    device_data: z
      .looseObject(sentMembers)
      .optional()
      .meta({ description: 'What the carrier does not know of the device of the line, if any' }),
  })
  .check(needsOneOf(['esn', 'sim', 'mdn']))
  .meta({ description: 'At least one of esn, sim and mdn; mdn goes before sim before esn' });

/** The body of an import by device: the device, and what names its line. */
export const deviceImportBody = z
  .looseObject({ ...identifierMembers, ...sentMembers })
  .check(needsOneOf(['esn', 'mdn']))
  .meta({ description: 'At least one of esn and mdn; mdn goes before esn, which is ignored then' });

/** The identifiers of a body, those that are null left out. */
export function askedLine(body: {
  readonly mdn?: string | null | undefined;
  readonly sim?: string | null | undefined;
  readonly esn?: string | null | undefined;
}): AskedLine {
  const { mdn, sim, esn } = body;
  return {
    ...(mdn == null ? {} : { mdn }),
    ...(sim == null ? {} : { sim }),
    ...(esn == null ? {} : { esn }),
  };
}

/** The device of an import by device. */
export function deviceOf(body: z.output<typeof deviceImportBody>): DeviceFields {
  const { esn: _esn, mdn: _mdn, sim: _sim, ...fields } = body;
  return settableFields(fields);
}

/** The device of an import by subscription. */
export function deviceDataOf(body: z.output<typeof subscriptionImportBody>): DeviceFields {
  return settableFields(body.device_data ?? {});
}
