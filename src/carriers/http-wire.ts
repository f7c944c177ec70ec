import { z } from 'zod';
import type {
  CarrierEquipment,
  CarrierLine,
  PortMessage,
  PortMessages,
  UsageFiles,
} from '../core/carrier.js';

/** Names of usage files become parts of paths, so nothing else is taken. */
export const USAGE_FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,120}$/;

const identifier = z.string().min(1).max(64);
const word = z.string().min(1).max(100);
const gregorianS = z.int().min(0).max(1e12);
const cursor = z.string().min(1).max(500).nullish();

/** Members that are not known here are dropped: a carrier may say more than it used to. */
const lineAnswer = z.object({
  line: z.object({
    mdn: identifier.nullish(),
    esn: identifier.nullish(),
    sim: identifier.nullish(),
    imsi: identifier.nullish(),
    plan: word.nullish(),
    features: z.array(word).max(100).default([]),
    carrier_data: z
      .record(word, z.string().max(200))
      .refine((data) => Object.keys(data).length <= 50)
      .default({}),
    activation_date: gregorianS.nullish(),
    suspended: z.boolean().default(false),
  }),
});

const equipmentAnswer = z.object({
  equipment: z.object({
    esn: identifier,
    model: z.object({ name: word, number: word, manufacturer: word }),
    msl: z.string().min(1).max(20).nullish(),
  }),
});

const messagesAnswer = z.object({
  messages: z
    .array(
      z.object({
        id: word,
        direction: z.enum(['in', 'out']),
        port_id: word.nullish(),
        mdn: identifier,
        code: word,
        extended: word.nullish(),
        source: word.default('carrier'),
        timestamp: gregorianS,
      }),
    )
    .max(1000),
  cursor,
});

const filesAnswer = z.object({
  files: z
    .array(z.object({ name: z.string().regex(USAGE_FILE_NAME), size: z.int().min(0).nullish() }))
    .max(1000),
  cursor,
});

const healthAnswer = z.object({ status: z.literal('ok') });

/** Each reads one answer; a `ZodError` is a bad answer. */
export function readLine(answer: unknown): CarrierLine {
  const { line } = lineAnswer.parse(answer);
  return {
    mdn: line.mdn ?? null,
    esn: line.esn ?? null,
    sim: line.sim ?? null,
    imsi: line.imsi ?? null,
    plan: line.plan ?? null,
    features: line.features,
    carrierData: line.carrier_data,
    activationDate: line.activation_date ?? null,
    suspended: line.suspended,
  };
}

/** With the device it is about, in the carrier's spelling. */
export function readEquipment(answer: unknown): { esn: string; equipment: CarrierEquipment } {
  const { esn, model, msl } = equipmentAnswer.parse(answer).equipment;
  return { esn, equipment: { model, ...(msl == null ? {} : { msl }) } };
}

/** Messages, in the order the carrier gave them. */
export function readMessages(answer: unknown): PortMessages {
  const { messages, cursor: next } = messagesAnswer.parse(answer);
  return {
    messages: messages.map(
      ({ port_id: portId, extended, ...message }): PortMessage => ({
        ...message,
        ...(portId == null ? {} : { portId }),
        ...(extended == null ? {} : { extended }),
      }),
    ),
    cursor: next ?? undefined,
  };
}

/** A page of usage files. */
export function readFiles(answer: unknown): UsageFiles {
  const { files, cursor: next } = filesAnswer.parse(answer);
  return {
    files: files.map(({ name, size }) => (size == null ? { name } : { name, size })),
    cursor: next ?? undefined,
  };
}

/** Nothing but that the carrier is well. */
export function readHealth(answer: unknown): void {
  healthAnswer.parse(answer);
}
