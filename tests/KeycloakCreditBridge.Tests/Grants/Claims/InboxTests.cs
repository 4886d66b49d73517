using KeycloakCreditBridge.Grants.Claims;

namespace KeycloakCreditBridge.Tests.Grants.Claims;

public sealed class InboxTests
{
    [Theory]
    [InlineData("user.name+tag@googlemail.com", "username@gmail.com")]
    [InlineData("u.s.e.r.n.a.m.e+tag@gmail.com", "username@gmail.com")]
    [InlineData("user+@gmail.com", "user@gmail.com")]
    [InlineData("user..name@gmail.com", "username@gmail.com")]
    [InlineData("user.name+tag@outlook.com", "user.name@outlook.com")]
    [InlineData("ana+1@hotmail.co.uk", "ana@hotmail.co.uk")]
    [InlineData("ana+1@live.de", "ana@live.de")]
    [InlineData("ana+1@msn.com", "ana@msn.com")]
    [InlineData("ana+1@pm.me", "ana@proton.me")]
    [InlineData("ana@protonmail.com", "ana@proton.me")]
    [InlineData("ana+1@fastmail.fm", "ana@fastmail.fm")]
    [InlineData("shop@ana.fastmail.com", "ana@fastmail.com")]
    [InlineData("ana+1@me.com", "ana@icloud.com")]
    [InlineData("ana+1@ya.ru", "ana@yandex.ru")]
    [InlineData("ana+1@yandex.com", "ana@yandex.ru")]
    [InlineData("ana-1+2@yahoo.com", "ana-1+2@yahoo.com")]
    [InlineData("A@Example.org", "a@example.org")]
    [InlineData("a.b+c@example.org", "a.b+c@example.org")]
    [InlineData("ana+1@outlook.evil.com", "ana+1@outlook.evil.com")]
    [InlineData("ana+1@notgmail.com", "ana+1@notgmail.com")]
    [InlineData("+tag@gmail.com", "+tag@gmail.com")]
    [InlineData("...@gmail.com", "...@gmail.com")]
    [InlineData(" ana@bücher.example ", "ana@xn--bcher-kva.example")]
    [InlineData("ａｎａ＠ｇｍａｉｌ．ｃｏｍ", "ana@gmail.com")]
    [InlineData("a\u200bna@gma\u200dil.com", "ana@gmail.com")]
    public void Addresses_of_one_inbox_are_one_text(string address, string inbox) =>
        Assert.Equal(inbox, Inbox.Of(address, new InboxRules()));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("ana")]
    [InlineData("ana@")]
    [InlineData("@example.org")]
    [InlineData("a@b@example.org")]
    [InlineData("\"a b\"@example.org")]
    [InlineData("a b@example.org")]
    [InlineData("ana@exa mple.org")]
    [InlineData("ana@example.org.")]
    public void A_text_that_is_no_address_has_no_inbox(string? text) => Assert.Null(Inbox.Of(text, new InboxRules(true, true)));

    [Fact]
    public void An_address_of_more_than_320_characters_has_no_inbox()
    {
        Assert.Null(Inbox.Of($"{new string('a', 309)}@example.org", new InboxRules()));
        Assert.NotNull(Inbox.Of($"{new string('a', 308)}@example.org", new InboxRules()));
    }

    [Fact]
    public void Hyphens_of_yahoo_and_pluses_of_others_are_cut_only_where_that_is_set()
    {
        var rules = new InboxRules(YahooHyphen: true, PlusForOthers: true);
        Assert.Equal("ana@yahoo.de", Inbox.Of("ana-shop@yahoo.de", rules));
        Assert.Equal("ana@ymail.com", Inbox.Of("ana-shop@ymail.com", rules));
        Assert.Equal("a.b@example.org", Inbox.Of("a.b+c@example.org", rules));
    }
}
