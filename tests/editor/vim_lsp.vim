" Drives Vim with vim-lsp, as a user's vimrc would set it up; what it sees goes to a file as JSON.
" In the environment: PLUGIN (vim-lsp's folder), SETUP (the README's line, with a command that exists), FILE (to open), OUT (to write).
set nocompatible hidden noswapfile
let s:seen = {}
let &runtimepath .= ',' . $PLUGIN
let g:lsp_diagnostics_enabled = 1
let g:lsp_settings_enable_suggestions = 0
filetype plugin indent on
execute $SETUP
runtime plugin/lsp.vim
call lsp#enable()

function! s:wait(what, condition) abort
  let l:end = reltimefloat(reltime()) + 60
  while !a:condition()
    if reltimefloat(reltime()) > l:end
      throw a:what . ' did not happen'
    endif
    sleep 50m
  endwhile
endfunction

function! s:ask(method, params) abort
  let l:box = {}
  call lsp#send_request('sotto', {'method': a:method, 'params': a:params, 'on_notification': {data -> extend(l:box, {'it': data})}})
  call s:wait(a:method, {-> has_key(l:box, 'it')})
  return get(l:box.it.response, 'result', v:null)
endfunction

function! s:state() abort
  return type(s:ask('sotto/status', {})) == v:t_dict && s:ask('sotto/status', {}).state ==# 'ready'
endfunction

try
  execute 'edit' $FILE
  call s:wait('the server', {-> lsp#get_server_status('sotto') ==# 'running'})
  call s:wait('the model', function('s:state'))
  call cursor(line('$'), 1)
  normal! A.
  doautocmd TextChanged
  call setpos('.', [0, line('$'), col('$'), 0])
  let s:params = {'textDocument': lsp#get_text_document_identifier(), 'position': {'line': line('$') - 1, 'character': strlen(getline('$'))}}
  sleep 700m
  let s:found = s:ask('textDocument/completion', s:params)
  let s:seen.item = get(get(s:found.items, 0, {'textEdit': {'newText': ''}}).textEdit, 'newText')
  silent write
  let s:report = s:ask('workspace/executeCommand', {'command': 'sotto.reviewFile', 'arguments': [lsp#get_text_document_identifier().uri]})
  let s:seen.rules = map(copy(s:report.comments), {_, one -> one.rule})
  call s:wait('a diagnostic', {-> lsp#get_buffer_diagnostics_counts().warning > 0})
  LspNextDiagnostic
  let s:seen.line = line('.')
  LspCodeAction --ui=float quickfix
  call s:wait('the menu', {-> !empty(popup_list())})
  call feedkeys("\<CR>", 'x')
  call s:wait('the fix', {-> join(getline(1, '$'), "\n") !~# '=\[\]'})
  let s:seen.fixed = join(getline(1, '$'), "\n")
catch
  let s:seen.problem = v:exception . ' ' . v:throwpoint
endtry
call writefile([json_encode(s:seen)], $OUT)
qall!
