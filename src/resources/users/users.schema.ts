import { z } from 'zod';
import { accountParams } from '../../surfaces/crossbar/shapes.js';

const object = z.looseObject({});

/** Kazoo's schema `users` (kazoo-accounts §3.2): unknown members are stored. */
export const userBody = z
  .looseObject({
    first_name: z.string().min(1).max(128),
    last_name: z.string().min(1).max(128),
    username: z
      .string()
      .min(1)
      .max(256)
      .regex(/^([+@.\w_-]+)$/)
      .optional()
      .meta({ description: 'For sign-in; stored in lower case, unique within the account' }),
    password: z
      .string()
      .min(1)
      .max(1024)
      .optional()
      .meta({ description: 'Never stored and never shown' }),
    email: z.email().min(3).max(254).optional(),
    priv_level: z.enum(['user', 'admin']).default('user'),
    enabled: z.boolean().default(true),
    verified: z.boolean().default(false),
    require_password_update: z.boolean().default(false),
    vm_to_email_enabled: z.boolean().default(true),
    hotdesk: z
      .looseObject({
        enabled: z.boolean().default(false),
        id: z.string().max(15).optional(),
        keep_logged_in_elsewhere: z.boolean().default(false),
        pin: z.string().min(4).max(15).optional(),
        require_pin: z.boolean().default(false),
      })
      .optional(),
    call_forward: z
      .looseObject({
        direct_calls_only: z.boolean().default(false),
        enabled: z.boolean().default(false),
        failover: z.boolean().default(false),
        ignore_early_media: z.boolean().default(true),
        keep_caller_id: z.boolean().default(true),
        number: z.string().max(35).optional(),
        require_keypress: z.boolean().default(true),
        substitute: z.boolean().default(true),
      })
      .optional(),
    call_restriction: object.default({}),
    contact_list: object.default({}),
    music_on_hold: object.default({}),
    ringtones: object.default({}),
    timezone: z.string().optional(),
    language: z.string().optional(),
    presence_id: z.string().optional(),
    feature_level: z.string().optional(),
    flags: z.array(z.string()).optional(),
    caller_id: object.optional(),
    caller_id_options: object.optional(),
    do_not_disturb: z.looseObject({ enabled: z.boolean().optional() }).optional(),
    profile: object.optional(),
    voicemail: object.optional(),
  })
  .meta({ description: 'A person who uses the system' });

export const userParams = accountParams.extend({
  user_id: z.string().min(1).max(128).meta({ description: 'User ID, 32 lower-case hex' }),
});

export const userAnswer = z.looseObject({ id: z.string() });

export const deletedUser = z.looseObject({
  id: z.string(),
  _read_only: z.strictObject({ deleted: z.literal(true) }),
});

export const userRows = z.array(
  z.looseObject({
    id: z.string(),
    features: z.array(z.string()),
    flags: z.array(z.string()).optional(),
  }),
);
