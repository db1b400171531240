// keysift's guard for opencode: every tool call and what it puts out goes through `keysift agent hook`.
// Written by `keysift agent install`; `keysift agent uninstall` takes it away.
import { spawnSync } from "node:child_process"

const COMMAND = @COMMAND@

function ask(event) {
  const run = spawnSync(COMMAND, { shell: true, input: JSON.stringify({ agent: "opencode", ...event }), encoding: "utf8", timeout: 30000, maxBuffer: 1 << 30 })
  if (run.error || run.status !== 0) {
    return { failed: `keysift could not check this, and what is not checked is denied: ${run.error ?? run.stderr ?? `status ${run.status}`}` }
  }
  try {
    return run.stdout.trim() ? JSON.parse(run.stdout) : {}
  } catch (error) {
    return { failed: `keysift's answer cannot be read: ${error}` }
  }
}

export const Keysift = async ({ directory }) => ({
  "tool.execute.before": async (input, output) => {
    const answer = ask({ event: "tool.execute.before", session: input.sessionID, cwd: directory, tool: input.tool, args: output.args })
    if (answer.failed || answer.deny) throw new Error(answer.failed ?? answer.deny)
  },
  "tool.execute.after": async (input, output) => {
    const answer = ask({ event: "tool.execute.after", session: input.sessionID, cwd: directory, tool: input.tool, args: input.args, output: output.output })
    if (answer.failed) output.output = `[${answer.failed}]`
    else if (typeof answer.output === "string") output.output = `${answer.output}\n\n${answer.note ?? ""}`
    else if (answer.note) output.output = `${output.output}\n\n${answer.note}`
  },
  "chat.message": async (input, output) => {
    const prompt = (output.parts ?? []).map((part) => part.text ?? "").join("\n")
    const answer = ask({ event: "chat.message", session: input.sessionID, cwd: directory, prompt })
    if (answer.failed || answer.deny) throw new Error(answer.failed ?? answer.deny)
  },
})
