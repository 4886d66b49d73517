using System.CommandLine;
using System.CommandLine.Parsing;
using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Cli;

/// <summary>Builds the program for a command, with the settings of its command line.</summary>
/// <param name="compose">Registers everything, with settings as `--Section:Key=value`.</param>
/// <param name="build">Builds the service with its endpoints.</param>
internal sealed class CommandHost(Func<string[], WebApplicationBuilder> compose, Func<WebApplicationBuilder, WebApplication> build)
{
    /// <summary>The option that every command has.</summary>
    public Option<string[]> SetOption { get; } = new("--set")
    {
        Description = "A setting that wins over files and environment, such as --set Keycloak:Url=http://localhost:8080. Repeatable.",
        HelpName = "KEY=VALUE",
        Recursive = true,
        Validators = { CheckSetting },
    };

    public string[] Settings(ParseResult parsed) => [.. (parsed.GetValue(SetOption) ?? []).Select(setting => $"--{setting}")];

    /// <summary>The settings alone, with nothing built from them.</summary>
    public IConfiguration Configuration(string[] settings) => compose(settings).Configuration;

    public WebApplication BuildService(string[] settings) => build(compose(settings));

    /// <summary>The program without its endpoints. Logs go where they do not mix with the command's output.</summary>
    public WebApplication BuildCommand(string[] settings)
    {
        var builder = compose(settings);
        builder.Services.AddSingleton(LogTarget.Command);
        return builder.Build();
    }

    private static void CheckSetting(OptionResult result)
    {
        foreach (var token in result.Tokens.Where(token => token.Value.IndexOf('=', StringComparison.Ordinal) < 1))
            result.AddError($"--set {token.Value} has no value: write --set KEY=VALUE, such as --set Keycloak:Url=http://localhost:8080.");
    }
}
