//! The severities of a server's messages, in its language.

/// What a server calls a message that is a log entry, in the languages that it speaks.
const LOGS: &[&str] = &[
    "LOG",
    "PROTOKOLL",
    "JOURNAL",
    "REGISTRO",
    "LOGG",
    "DZIENNIK",
    "СООБЩЕНИЕ",
    "ЗАПИСУВАННЯ",
    "ПОВІДОМЛЕННЯ",
    "GÜNLÜK",
    "KAYIT",
    "ჟურნალი",
    "日志",
    "ログ",
    "로그",
];

/// What a server calls its other messages.
const USUAL_LEVELS: &[&str] = &[
    "DEBUG",
    "DEBUG1",
    "DEBUG2",
    "DEBUG3",
    "DEBUG4",
    "DEBUG5",
    "INFO",
    "NOTICE",
    "WARNING",
    "ERROR",
    "FATAL",
    "PANIC",
    "HINWEIS",
    "WARNUNG",
    "FEHLER",
    "NOTIFICACIÓN",
    "ATTENTION",
    "ERREUR",
];

/// What it calls them in further languages.
const LEVELS: &[&str] = &[
    "PANIK",
    "ADVERTENCIA",
    "PÁNICO",
    "PANIQUE",
    "NOTA",
    "AVISO",
    "ERRO",
    "PÂNICO",
    "NOTIFICA",
    "ATTENZIONE",
    "ERRORE",
    "FATALE",
    "PANICO",
    "UWAGA",
    "OSTRZEŻENIE",
    "BŁĄD",
    "KATASTROFALNY",
    "PANIKA",
    "ОТЛАДКА",
    "ИНФОРМАЦИЯ",
    "ЗАМЕЧАНИЕ",
    "ПРЕДУПРЕЖДЕНИЕ",
    "ОШИБКА",
    "ВАЖНО",
    "ПАНИКА",
    "НАЛАГОДЖЕННЯ",
    "ІНФОРМАЦІЯ",
    "ПОПЕРЕДЖЕННЯ",
    "ПОМИЛКА",
    "ФАТАЛЬНО",
    "ПАНІКА",
    "NOTIS",
    "VARNING",
    "FEL",
    "FATALT",
    "UYARI",
    "HATA",
    "PANİK",
    "警告",
    "注意",
    "错误",
    "致命错误",
    "エラー",
    "致命的エラー",
    "경고",
    "알림",
    "오류",
    "치명적오류",
];

/// What stands before the lines that belong to the message before them, and that no entry of pgaudit has.
const USUAL_PARTS: &[&str] =
    &["DETAIL", "HINT", "QUERY", "CONTEXT", "STATEMENT", "ANWEISUNG", "KONTEXT", "INSTRUCTION"];

/// What it calls them in further languages.
const PARTS: &[&str] = &[
    "TIPP",
    "ANFRAGE",
    "ZUSAMMENHANG",
    "DETALLE",
    "CONSULTA",
    "CONTEXTO",
    "SENTENCIA",
    "DÉTAIL",
    "ASTUCE",
    "REQUÊTE",
    "CONTEXTE",
    "DETALHE",
    "DICA",
    "COMANDO",
    "DETTAGLI",
    "SUGGERIMENTO",
    "CONTESTO",
    "ISTRUZIONE",
    "SZCZEGÓŁY",
    "PODPOWIEDŹ",
    "ZAPYTANIE",
    "KONTEKST",
    "WYRAŻENIE",
    "ПОДРОБНОСТИ",
    "ПОДСКАЗКА",
    "ЗАПРОС",
    "КОНТЕКСТ",
    "ОПЕРАТОР",
    "ДЕТАЛІ",
    "ПІДКАЗКА",
    "ЗАПИТ",
    "ІНСТРУКЦІЯ",
    "DETALJ",
    "TIPS",
    "FRÅGA",
    "SATS",
    "AYRINTI",
    "İPUCU",
    "SORGU",
    "KOMUT",
    "详细信息",
    "提示",
    "查询",
    "上下文",
    "语句",
    "詳細",
    "ヒント",
    "クエリ",
    "文脈",
    "文",
    "상세정보",
    "힌트",
    "쿼리",
    "내용",
    "명령 구문",
];

/// What stands before the place in the server's source.
const USUAL_PLACES: &[&str] = &["LOCATION", "BACKTRACE"];

/// What it calls that in further languages.
const PLACES: &[&str] = &[
    "ORT",
    "UBICACIÓN",
    "EMPLACEMENT",
    "LOCAL",
    "POSIZIONE",
    "POZYCJA",
    "ПОЛОЖЕНИЕ",
    "РОЗТАШУВАННЯ",
    "PLATS",
    "YER",
    "位置",
    "場所",
    "위치",
];

/// What a line of a log is to the message before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Another message.
    Message,
    /// A part of the message before, which pgaudit does not write.
    Belonging,
    /// A part of the message before that says where the server's source wrote it.
    Place,
    /// A word of a language that is not known.
    Unknown,
}

/// Returns what a severity says of its line.
pub(super) fn kind(word: &[u8]) -> Kind {
    let is = |words: &[&str]| words.iter().any(|known| known.as_bytes() == word);
    match () {
        () if [LOGS, USUAL_LEVELS, LEVELS].into_iter().any(is) => Kind::Message,
        () if is(USUAL_PARTS) || is(PARTS) => Kind::Belonging,
        () if is(USUAL_PLACES) || is(PLACES) => Kind::Place,
        () => Kind::Unknown,
    }
}

/// Words that are looked for also where nothing shows that a word begins.
fn usual() -> impl Iterator<Item = &'static &'static str> {
    [LOGS, USUAL_LEVELS, USUAL_PARTS, USUAL_PLACES].into_iter().flatten()
}

/// Returns whether a word is a severity that is known.
pub(super) fn is_known(word: &[u8]) -> bool {
    usual().any(|known| known.as_bytes() == word)
}

/// Returns whether a text ends with what a server calls a message that is a log entry.
pub(super) fn ends_with_log(head: &[u8]) -> bool {
    LOGS.iter().any(|word| head.ends_with(word.as_bytes()))
}

/// Returns the places where a severity that ends here may start: of one that is known its start, of another word
/// any place in it, the longest first.
pub(super) fn severities(head: &[u8]) -> impl Iterator<Item = usize> {
    // Most are this one.
    if let Some(rest) = head.strip_suffix(b"LOG")
        && !rest.last().is_some_and(|byte| is_letter(*byte))
    {
        return rest.len()..rest.len() + 1;
    }
    let known = usual().filter(|word| head.ends_with(word.as_bytes())).map(|word| word.len());
    if let Some(length) = known.max() {
        let start = head.len() - length;
        return start..start + 1;
    }
    let length = head.iter().rev().take_while(|b| is_letter(**b)).count();
    head.len() - length..head.len()
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_severity_is_a_word_of_any_language() {
        let starts = |text: &str| severities(text.as_bytes()).collect::<Vec<_>>();
        assert_eq!(starts("x LOG"), [2]);
        assert_eq!(starts("bobLOG"), [3]);
        assert_eq!(starts("x DEBUG1"), [2]);
        assert_eq!(starts("x PROTOKOLL"), [2]);
        assert_eq!(starts("x ABC"), [2, 3, 4]);
        assert_eq!(starts("x "), [0; 0]);
        assert!(ends_with_log("x GÜNLÜK".as_bytes()) && !ends_with_log(b"ERROR"));
    }
}
