using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using System.Globalization;
using KeycloakCreditBridge.Configuration;
using Npgsql;

namespace KeycloakCreditBridge.Operations.Commands;

/// <summary>The program's commands and options, and the one place where a failure becomes a line and an exit code.</summary>
internal static class CommandLine
{
    private static readonly string[] InstantFormats =
        ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"];

    private static readonly Option<string[]> Set = new("--set")
    {
        Description = "A setting that wins over files and environment, such as --set Keycloak:Url=http://localhost:8080. Repeatable.",
        HelpName = "KEY=VALUE",
        Recursive = true,
        Validators = { CheckSetting },
    };

    private static readonly Option<string[]> Realm = new("--realm")
    {
        Description = "A realm; all configured ones without it. Repeatable.",
        HelpName = "NAME",
    };

    private static readonly Option<DateTimeOffset?> Since = new("--since")
    {
        Description = "Only users created since this date or instant (UTC unless it says otherwise): 2026-01-31, 2026-01-31T08:00:00Z.",
        HelpName = "WHEN",
        CustomParser = ParseInstant,
    };

    private static readonly Option<string[]> User = new("--user")
    {
        Description = "Only this user, by id, user name or e-mail address. Repeatable.",
        HelpName = "USER",
    };

    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Count what is missing and write nothing." };

    private static readonly Option<bool> Json = new("--json") { Description = "One JSON object a realm on standard output, no progress." };

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
        var root = new RootCommand(Manual.Summary)
        {
            Set,
            Plain("run", Manual.Run, RunCommand.RunAsync),
            Plain("migrate", Manual.Migrate, settings => MigrateCommand.RunAsync(settings, Console.Out)),
            Reconcile("reconcile", Manual.Reconcile, rejudge: false),
            Reconcile("backfill", Manual.Backfill, rejudge: true),
            AdoptSyntax.Command(Settings),
            DoctorCommand.Command(Settings),
            SetupSyntax.Command(Settings),
            HintsSyntax.Command(Settings),
            AccountSyntax.Command(Settings),
        };
        root.SetAction((parsed, _) => RunCommand.RunAsync(Settings(parsed)));
        foreach (var help in root.Options.OfType<HelpOption>())
            help.Action = new ManualAction(new HelpAction { MaxWidth = 120 });
        return root;
    }

    private static Command Plain(string name, string description, Func<string[], Task<int>> run)
    {
        var command = new Command(name, description);
        command.SetAction((parsed, _) => run(Settings(parsed)));
        return command;
    }

    private static Command Reconcile(string name, string description, bool rejudge)
    {
        var command = new Command(name, description) { Realm, Since, User, DryRun, Json };
        command.SetAction((parsed, _) => ReconcileCommand.RunAsync(
            new ReconcileArguments(
                Settings(parsed), parsed.GetValue(Realm) ?? [], parsed.GetValue(Since), parsed.GetValue(User) ?? [],
                parsed.GetValue(DryRun), parsed.GetValue(Json), rejudge),
            Console.Out,
            Console.Error));
        return command;
    }

    private static string[] Settings(ParseResult parsed) => [.. (parsed.GetValue(Set) ?? []).Select(setting => $"--{setting}")];

    private static void CheckSetting(OptionResult result)
    {
        foreach (var token in result.Tokens.Where(token => token.Value.IndexOf('=', StringComparison.Ordinal) < 1))
            result.AddError($"--set {token.Value} has no value: write --set KEY=VALUE, such as --set Keycloak:Url=http://localhost:8080.");
    }

    private static DateTimeOffset? ParseInstant(ArgumentResult result)
    {
        var text = result.Tokens.Single().Value;
        if (DateTimeOffset.TryParseExact(
            text, InstantFormats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
            out var instant))
        {
            return instant;
        }

        result.AddError($"--since {text} is no date or instant: write it as 2026-01-31 or 2026-01-31T08:00:00Z.");
        return null;
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
