namespace KeycloakCreditBridge.Grants.Review.Signals.Domains;

/// <summary>Domains that are known by their names.</summary>
internal static class KnownDomains
{
    /// <summary>Services that forward mail to an address that they hide. Users of them are real.</summary>
    public static readonly DomainList Relays = DomainList.Parse(string.Join('\n',
        "duck.com", "mozmail.com", "privaterelay.appleid.com", "simplelogin.com", "simplelogin.co", "simplelogin.fr", "simplelogin.io",
        "aleeas.com", "slmails.com", "slmail.me", "8alias.com", "8shield.net", "dralias.com", "passmail.net", "passmail.com",
        "passinbox.com", "passfwd.com", "addy.io", "anonaddy.com", "anonaddy.me", "4wrd.cc", "mailer.me", "firefoxrelay.com",
        "relay.firefox.com", "erine.email", "33mail.com"));

    /// <summary>Providers so common that many users of one at a time mean nothing.</summary>
    public static readonly DomainList Common = DomainList.Parse(string.Join('\n',
        "gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "hotmail.co.uk", "hotmail.fr", "hotmail.de", "hotmail.it", "live.com",
        "msn.com", "outlook.de", "outlook.fr", "yahoo.com", "yahoo.co.uk", "yahoo.co.jp", "yahoo.co.in", "yahoo.fr", "yahoo.de",
        "ymail.com", "icloud.com", "me.com", "mac.com", "proton.me", "protonmail.com", "pm.me", "fastmail.com", "gmx.de", "gmx.net",
        "gmx.com", "gmx.at", "gmx.ch", "web.de", "t-online.de", "freenet.de", "mail.ru", "bk.ru", "inbox.ru", "list.ru", "yandex.ru",
        "yandex.com", "ya.ru", "rambler.ru", "qq.com", "163.com", "126.com", "sina.com", "foxmail.com", "naver.com", "daum.net",
        "hanmail.net", "orange.fr", "wanadoo.fr", "free.fr", "sfr.fr", "laposte.net", "libero.it", "virgilio.it", "tiscali.it", "alice.it",
        "aol.com", "comcast.net", "verizon.net", "att.net", "sbcglobal.net", "cox.net", "btinternet.com", "sky.com", "virginmedia.com",
        "bigpond.com", "optusnet.com.au", "rediffmail.com", "uol.com.br", "bol.com.br", "terra.com.br", "wp.pl", "o2.pl", "onet.pl",
        "interia.pl", "seznam.cz", "centrum.cz", "abv.bg", "ukr.net", "zoho.com", "tutanota.com", "tuta.io", "hey.com", "mailbox.org",
        "posteo.de", "bluewin.ch", "telenet.be", "ziggo.nl", "kpnmail.nl", "live.nl", "rocketmail.com"));
}
