// What the jsforce witnesses have in common: the simulator that they are told of, its control address, and how checks are run
// and counted.
import { existsSync, readFileSync } from 'node:fs';

const argument = process.argv[2] ?? readFileSync(0, 'utf8');

// sim is the line that the simulator prints when it is ready.
export const sim = JSON.parse(existsSync(argument) ? readFileSync(argument, 'utf8') : argument);

// control sends a request to the simulator's control address and returns the answer's text.
export async function control(method, path, body) {
  const answer = await fetch(sim.control_url + path, { method, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path} on the control address: ${answer.status} ${await answer.text()}`);
  return answer.text();
}

// within gives a check so many milliseconds.
async function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing for ${milliseconds / 1000} s`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// run runs the checks one after the other, prints a line for each and "N passed, N failed" last, and ends the program.
export async function run(name, checks, patience) {
  let failed = 0;
  for (const [what, check] of Object.entries(checks)) {
    try {
      await within(patience, check());
      console.log(`ok   ${name}:`, what);
    } catch (error) {
      failed++;
      console.log(`FAIL ${name}:`, what, '--', error?.message ?? String(error));
    }
  }
  console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}
