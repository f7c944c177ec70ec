import { z } from 'zod';
import { pageQuery } from '../../surfaces/crossbar/paging.js';

export const mvnoParams = z.object({
  mvno_id: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/)
    .meta({ description: 'MVNO ID', examples: ['2600hz'] }),
});

export const mvnoQuery = pageQuery;

export const mvnoAnswer = z.strictObject({
  id: z.string(),
  name: z.string(),
  cluster_id: z.string().optional().meta({ description: 'The cluster of the MVNO' }),
  default_carrier: z
    .string()
    .optional()
    .meta({ description: 'Asked where a request names none of several' }),
  carriers: z
    .record(
      z.string(),
      z.looseObject({
        driver: z.string().meta({ description: 'http, sandbox' }),
        api_key: z.string().optional().meta({ description: 'Sealed' }),
      }),
    )
    .meta({ description: 'How each carrier is reached, by its name' }),
});

export const mvnosAnswer = z.array(mvnoAnswer);
