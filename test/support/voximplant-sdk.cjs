// Calls Voximplant's own SDK, as it is, in a process of its own. Arguments: credentials.json and
// host:port. Each line of standard input is [group, method, request] in JSON, for each of which one
// line is written: what the method came to, or { thrown: message }.
const { createInterface } = require('node:readline');
const VoximplantApiClient = require('@voximplant/apiclient-nodejs').default;

const [pathToCredentials, host] = process.argv.slice(2);
const client = new VoximplantApiClient({ pathToCredentials, host });

async function answer(line) {
  const [group, method, request] = JSON.parse(line);
  try {
    return await client[group][method](request);
  } catch (error) {
    return { thrown: String(error?.message ?? error) };
  }
}

client.onReady = async () => {
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify((await answer(line)) ?? null)}\n`);
  }
};
