using KeycloakCreditBridge.Configuration.Shell;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Tests.Configuration.Shell;

public sealed class ShellWordTests
{
    [Theory]
    [InlineData("shop", "shop")]
    [InlineData("a-b_c.d:e@f", "a-b_c.d:e@f")]
    [InlineData("my shop", "'my shop'")]
    [InlineData("münchen", "'münchen'")]
    [InlineData("it's $HOME", @"'it'\''s $HOME'")]
    [InlineData("", "''")]
    [InlineData("~root", "'~root'")]
    [InlineData("a;reboot", "'a;reboot'")]
    public void A_name_is_quoted_where_a_shell_would_take_it_apart(string text, string word) => Assert.Equal(word, ShellWord.Of(text));

    [Theory]
    [InlineData("it's \"$HOME\" `id` \\ *")]
    [InlineData("two\nlines")]
    public async Task A_shell_reads_the_word_as_the_text(string text) =>
        Assert.Equal(text, await Command.RunAsync(["sh", "-c", $"printf %s {ShellWord.Of(text)}"], TestContext.Current.CancellationToken));
}
