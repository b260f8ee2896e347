-- Drives Neovim (0.7 or newer) as a user's configuration would: what it sees of the server goes to a file as JSON.
-- In the environment: COMMAND (a JSON list), FILE (to open), OUT (to write).
local command = vim.fn.json_decode(vim.env.COMMAND)
local seen = { version = vim.version() }
local list = vim.lsp.get_clients or vim.lsp.get_active_clients

local function wait(what, condition)
  if not vim.wait(60000, condition, 50) then
    seen.problem = what .. ' did not happen'
    error(seen.problem)
  end
end

local function text()
  return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n')
end

local function request(client, method, params)
  local answer = client.request_sync(method, params, 60000, vim.api.nvim_get_current_buf()) -- by its number: 0 would leave changes unsent
  return answer and answer.result
end

local function run()
  vim.cmd('edit ' .. vim.env.FILE)
  local ready = false
  local id = vim.lsp.start_client({
    name = 'sotto',
    cmd = command,
    root_dir = vim.fn.fnamemodify(vim.env.FILE, ':h'),
    init_options = { minConfidence = 0, stopBelow = 0, budgetMs = 10000, popup = 'always' },
    handlers = {
      didChangeStatus = function(_, status) ready = ready or (status.kind == 'Normal' and not status.busy) end,
    },
  })
  vim.lsp.buf_attach_client(0, id)
  wait('the model', function() return ready end)
  local client = vim.lsp.get_client_by_id(id)

  local last = vim.api.nvim_buf_line_count(0)
  vim.api.nvim_win_set_cursor(0, { last, 0 })
  vim.cmd('normal! A.')
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.position = { line = last - 1, character = #vim.api.nvim_get_current_line() } -- behind the point; all is ASCII here
  local list = request(client, 'textDocument/completion', params)
  local item = list and list.items[1]
  seen.item = item and item.textEdit.newText
  seen.why = request(client, 'sotto/status', {}).lastReason
  if item then
    vim.lsp.util.apply_text_edits({ item.textEdit }, vim.api.nvim_get_current_buf(), client.offset_encoding)
    seen.text = text()
    seen.accepted = request(client, 'workspace/executeCommand', { command = item.command.command, arguments = item.command.arguments }) ~= false
  end

  vim.cmd('silent write')
  seen.report = request(client, 'workspace/executeCommand', { command = 'sotto.reviewFile', arguments = { vim.uri_from_bufnr(0) } })
  wait('a diagnostic', function() return #vim.diagnostic.get(0) > 0 end)
  seen.diagnostic = vim.diagnostic.get(0)[1].message
  -- The user's way to a quick fix: the menu of code actions on the line, of which the first is chosen.
  vim.api.nvim_win_set_cursor(0, { vim.diagnostic.get(0)[1].lnum + 1, 0 })
  vim.ui.select = function(entries, _, choose) choose(entries[1], 1) end
  vim.lsp.buf.code_action()
  wait('the fix', function() return not text():find('=%[%]') end)
  seen.fixed = text()
end

local ok, problem = pcall(run)
if not ok then seen.problem = seen.problem or tostring(problem) end
local out = io.open(vim.env.OUT, 'w')
out:write(vim.fn.json_encode(seen))
out:close()
for _, client in pairs(list()) do client.stop(client) end
vim.wait(3000, function() return #list() == 0 end, 50)
vim.cmd('qa!')
