using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using KeycloakCreditBridge.Cli.Account;
using KeycloakCreditBridge.Cli.Adopt;
using KeycloakCreditBridge.Cli.Doctor;
using KeycloakCreditBridge.Cli.Hints;
using KeycloakCreditBridge.Cli.Migrate;
using KeycloakCreditBridge.Cli.Reconcile;
using KeycloakCreditBridge.Cli.Run;
using KeycloakCreditBridge.Cli.Setup;
using KeycloakCreditBridge.Configuration;
using Npgsql;

namespace KeycloakCreditBridge.Cli;

/// <summary>The program's commands and options, and the one place where a failure becomes a line and an exit code.</summary>
internal static class CliModule
{
    private static readonly Option<string[]> Set = new("--set")
    {
        Description = "A setting that wins over files and environment, such as --set Keycloak:Url=http://localhost:8080. Repeatable.",
        HelpName = "KEY=VALUE",
        Recursive = true,
        Validators = { CheckSetting },
    };

    /// <summary>Runs the command that the arguments name and returns the process's exit code.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        var parsed = Root().Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (var problem in parsed.Errors)
                await Console.Error.WriteLineAsync(problem.Message);
            await Console.Error.WriteLineAsync("Try --help.");
            return ExitCode.Usage;
        }

        try
        {
            // Commands watch the signals themselves, for they stop between pages; the service's host does so too.
            return await parsed.InvokeAsync(
                new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (ConfigurationException exception)
        {
            foreach (var problem in exception.Problems)
                await Console.Error.WriteLineAsync(problem);
            return ExitCode.Usage;
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Stopped;
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            await Console.Error.WriteLineAsync(Line(exception));
            return exception is InvalidDataException ? ExitCode.Usage : ExitCode.Of(exception);
        }
    }

    private static RootCommand Root()
    {
        var root = new RootCommand(HelpText.Summary)
        {
            Set,
            Plain("run", HelpText.Run, RunCommand.RunAsync),
            Plain("migrate", HelpText.Migrate, settings => MigrateCommand.RunAsync(settings, Console.Out)),
            ReconcileSyntax.Reconcile(Settings),
            ReconcileSyntax.Backfill(Settings),
            AdoptSyntax.Command(Settings),
            DoctorCommand.Command(Settings),
            SetupSyntax.Command(Settings),
            HintsSyntax.Command(Settings),
            AccountSyntax.Command(Settings),
        };
        root.SetAction((parsed, _) => RunCommand.RunAsync(Settings(parsed)));
        foreach (var help in root.Options.OfType<HelpOption>())
            help.Action = new HelpTextAction(new HelpAction { MaxWidth = 120 });
        return root;
    }

    private static Command Plain(string name, string description, Func<string[], Task<int>> run)
    {
        var command = new Command(name, description);
        command.SetAction((parsed, _) => run(Settings(parsed)));
        return command;
    }

    private static string[] Settings(ParseResult parsed) => [.. (parsed.GetValue(Set) ?? []).Select(setting => $"--{setting}")];

    private static void CheckSetting(OptionResult result)
    {
        foreach (var token in result.Tokens.Where(token => token.Value.IndexOf('=', StringComparison.Ordinal) < 1))
            result.AddError($"--set {token.Value} has no value: write --set KEY=VALUE, such as --set Keycloak:Url=http://localhost:8080.");
    }

    private static string Line(Exception exception)
    {
        var message = exception switch
        {
            // The outer message of a broken appsettings.json names the file, the inner one the place.
            InvalidDataException { InnerException: { } inner } => $"{exception.Message} {inner.Message}",
            NpgsqlException => $"PostgreSQL: {exception.Message}",
            _ => exception.Message,
        };
        return message.ReplaceLineEndings(" ");
    }
}
