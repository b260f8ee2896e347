;;; lsp_mode.el --- Drives lsp-mode in batch Emacs; what it sees goes to a file as JSON.
;; In the environment: SETUP (the README's line, with a command that exists), FILE (to open), OUT (to write), HOME (a folder of its own).
(require 'json)
(require 'lsp-mode)
(require 'lsp-completion)
(require 'lsp-diagnostics)

(defvar seen nil)
(defun see (key value) (push (cons key value) seen))

(defun wait-for (what condition)
  (let ((end (+ (float-time) 60)) value)
    (while (and (not (setq value (funcall condition))) (< (float-time) end))
      (accept-process-output nil 0.05))
    (or value (error "%s did not happen" what))))

(defun said (key value)
  "A field of what came as JSON, whatever lsp-mode makes of objects."
  (if (hash-table-p value) (gethash key value) (plist-get value (intern (concat ":" key)))))

(condition-case problem
    (progn
      (setq lsp-auto-guess-root t lsp-enable-snippet nil lsp-warn-no-matched-clients nil lsp-enable-suggest-server-download nil
            lsp-auto-execute-action nil lsp-diagnostics-provider :none lsp-headerline-breadcrumb-enable nil)
      (eval (read (getenv "SETUP")))
      (lsp-register-custom-settings '(("sotto.minConfidence" 0) ("sotto.stopBelow" 0) ("sotto.budgetMs" 10000)))
      (find-file (getenv "FILE"))
      (python-mode)
      (lsp)
      (wait-for "the server" (lambda () (lsp-workspaces)))
      (wait-for "the model" (lambda () (equal (said "state" (lsp-request "sotto/status" (make-hash-table))) "ready")))
      (goto-char (point-max))
      (insert ".")
      (let* ((capf (lsp-completion-at-point))
             (all (all-completions "" (nth 2 capf))))
        (see 'item (substring-no-properties (or (car all) ""))))
      (let ((inhibit-message t)) (save-buffer))
      (see 'rules (vconcat (mapcar (lambda (one) (said "rule" one))
                                   (said "comments" (lsp-request "workspace/executeCommand"
                                                                 (list :command "sotto.reviewFile"
                                                                       :arguments (vector (lsp--buffer-uri))))))))
      (let ((diagnostic (car (wait-for "a diagnostic" (lambda () (gethash (lsp--fix-path-casing buffer-file-name) (lsp-diagnostics)))))))
        (see 'diagnostic (said "message" diagnostic))
        (goto-char (point-min))
        (forward-line (said "line" (said "start" (said "range" diagnostic)))))
      (let ((actions (append (lsp-code-actions-at-point) nil)))
        (see 'actions (vconcat (mapcar (lambda (one) (said "title" one)) actions)))
        (lsp-execute-code-action (car actions)))
      (see 'fixed (buffer-substring-no-properties (point-min) (point-max)))
      (lsp-workspace-shutdown (car (lsp-workspaces))))
  (error (see 'problem (error-message-string problem))))
(with-temp-file (getenv "OUT") (insert (json-encode seen)))
(kill-emacs 0)
