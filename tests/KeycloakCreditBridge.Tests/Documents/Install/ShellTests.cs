namespace KeycloakCreditBridge.Tests.Documents.Install;

public sealed class ShellTests
{
    public static TheoryData<string> Pages() => ["README.md", .. Repository.FilesUnder("docs/install", ".md")];

    [Theory]
    [MemberData(nameof(Pages))]
    public async Task Every_block_of_commands_is_shell(string page)
    {
        foreach (var block in ShellText.Blocks(page))
            await ShellText.RunAsync("bash -n <<<\"$BLOCK\"", ("BLOCK", block));
    }

    [Theory]
    [InlineData("KeycloakCreditBridge rec", "reconcile")]
    [InlineData("KeycloakCreditBridge hints re", "retry")]
    [InlineData("KeycloakCreditBridge reconcile --dry", "--dry-run")]
    public async Task The_shell_completes_commands_and_options_with_the_function_of_the_documents(string typed, string completed)
    {
        var function = ShellText.Blocks("docs/install/systemd.md").Single(block => block.Contains("complete -F", StringComparison.Ordinal));
        var output = await ShellText.RunAsync(
            $$"""
            PATH="{{AppContext.BaseDirectory}}:$PATH"
            {{function}}
            COMP_LINE="{{typed}}" COMP_POINT={{typed.Length}}
            COMP_WORDS=({{typed}}) COMP_CWORD={{typed.Count(letter => letter == ' ')}}
            _credit_bridge
            printf '%s\n' "${COMPREPLY[@]}"
            """);
        Assert.Equal(completed, output.Trim());
    }
}
