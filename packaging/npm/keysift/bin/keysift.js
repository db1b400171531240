#!/usr/bin/env node
// Runs the program of this platform's package. Nothing is downloaded and nothing runs at installation.
'use strict';

const { spawnSync } = require('node:child_process');
const os = require('node:os');

const file = process.platform === 'win32' ? 'keysift.exe' : 'keysift';
const name = `@keysift/${process.platform}-${process.arch}`;

let program;
try {
  program = require.resolve(`${name}/${file}`);
} catch {
  console.error(
    `error: keysift has no program for ${process.platform} on ${process.arch} here: the package ${name} is not ` +
      'installed\n  help: let npm install optional dependencies, or build it with `cargo install keysift`');
  process.exit(2);
}

const done = spawnSync(program, process.argv.slice(2), { stdio: 'inherit' });
if (done.error) {
  console.error(`error: cannot run ${program}: ${done.error.message}`);
  process.exit(2);
}
// As a shell says it when a signal ended the program.
process.exit(done.signal ? 128 + os.constants.signals[done.signal] : done.status);
