import type { z } from 'zod';
import { validate } from '../../core/validation.js';
import type { PlatformCaller } from './credentials.js';
import type { Parameters } from './parameters.js';

/** What a command says about itself: validation and API pages come from here. */
export interface CommandDeclaration<P extends z.ZodObject, A extends z.ZodType> {
  /** Voximplant's name of the method: `AddAuthorizedAccountIP`. */
  readonly name: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** Of the parameters as texts. */
  readonly params: P;
  readonly answer: A;
  run(input: {
    readonly params: z.output<P>;
    readonly caller: PlatformCaller;
    /** The client's address. */
    readonly address: string;
  }): Promise<z.input<A>>;
}

/** A command with its types erased. */
export interface Command {
  readonly name: string;
  readonly tag: string;
  readonly summary: string;
  readonly description: string | undefined;
  readonly params: z.ZodObject;
  readonly answer: z.ZodType;
  handle(parameters: Parameters, caller: PlatformCaller, address: string): Promise<unknown>;
}

/** Declares a command; see {@link CommandDeclaration}. */
export function command<P extends z.ZodObject, A extends z.ZodType>(
  declaration: CommandDeclaration<P, A>,
): Command {
  return {
    name: declaration.name,
    tag: declaration.tag,
    summary: declaration.summary,
    description: declaration.description,
    params: declaration.params,
    answer: declaration.answer,
    // The parameters have no prototype, and schemas want a plain object.
    handle: async (parameters, caller, address) =>
      declaration.run({
        params: validate(declaration.params, { ...parameters }),
        caller,
        address,
      }),
  };
}
