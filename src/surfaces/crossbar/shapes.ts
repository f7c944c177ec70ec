import { z } from 'zod';

/** A path below an account; the surface has found the account before a route runs. */
export const accountParams = z.object({
  account_id: z.string().meta({ description: 'Account ID, 32 lower-case hex' }),
});

/** A body that its service judges: patches after the merge, uniqueness along with the schema. */
export const anyBody = z.looseObject({});

/** Whether a PATCH merges objects, for documents that merge unless told otherwise (contract §4). */
export const patchEnvelope = z.object({
  recursive: z
    .boolean()
    .optional()
    .meta({ description: 'true (default): objects are merged; false: they are replaced' }),
});
