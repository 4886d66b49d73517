using System.CommandLine;
using System.CommandLine.Help;
using KeycloakCreditBridge.Cli.Account;
using KeycloakCreditBridge.Cli.Adopt;
using KeycloakCreditBridge.Cli.Analytics;
using KeycloakCreditBridge.Cli.Claims;
using KeycloakCreditBridge.Cli.Codes;
using KeycloakCreditBridge.Cli.Deliveries;
using KeycloakCreditBridge.Cli.Doctor;
using KeycloakCreditBridge.Cli.Events;
using KeycloakCreditBridge.Cli.Experiments;
using KeycloakCreditBridge.Cli.Grants;
using KeycloakCreditBridge.Cli.Health;
using KeycloakCreditBridge.Cli.Hints;
using KeycloakCreditBridge.Cli.Holds;
using KeycloakCreditBridge.Cli.Migrate;
using KeycloakCreditBridge.Cli.Realm;
using KeycloakCreditBridge.Cli.Reconcile;
using KeycloakCreditBridge.Cli.Referrals;
using KeycloakCreditBridge.Cli.Run;
using KeycloakCreditBridge.Cli.Setup;
using KeycloakCreditBridge.Cli.Signals;
using KeycloakCreditBridge.Cli.Usage;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Storage.Sessions;
using Npgsql;

namespace KeycloakCreditBridge.Cli;

/// <summary>Composes the commands. The one place where a failure becomes a line and an exit code.</summary>
internal static class CliModule
{
    /// <summary>Runs the command that the arguments name and returns the process's exit code.</summary>
    public static async Task<int> RunAsync(string[] args, CommandHost host)
    {
        var parsed = Root(host).Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (var problem in parsed.Errors)
                await Console.Error.WriteLineAsync(problem.Message);
            await Console.Error.WriteLineAsync("Try --help.");
            return ExitCode.Usage;
        }

        try
        {
            // Commands handle the signals themselves, because they stop between pages; so does the service's host.
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

    /// <summary>All commands with their options.</summary>
    internal static RootCommand Root(CommandHost host)
    {
        var root = new RootCommand(HelpText.Summary)
        {
            host.SetOption,
            RunCommand.Command(host),
            MigrateCommand.Command(host),
            ReconcileSyntax.Reconcile(host),
            ReconcileSyntax.Backfill(host),
            AdoptSyntax.Command(host),
            DoctorCommand.Command(host),
            HealthCommand.Command(host),
            SetupSyntax.Command(host),
            HintsSyntax.Command(host),
            DeliveriesSyntax.Command(host),
            EventsSyntax.Command(host),
            AccountSyntax.Command(host),
            GrantsSyntax.Command(host),
            ReferralsSyntax.Command(host),
            HoldsSyntax.Command(host),
            CodesSyntax.Command(host),
            ExperimentsSyntax.Command(host),
            UsageSyntax.Command(host),
            RealmSyntax.Command(host),
            ClaimsCommand.Command(host),
            SignalsSyntax.Command(host),
            AnalyticsSyntax.Command(host),
        };
        root.SetAction((parsed, _) => RunCommand.RunAsync(host, parsed));
        foreach (var help in root.Options.OfType<HelpOption>())
            help.Action = new HelpTextAction(root);
        return root;
    }

    private static string Line(Exception exception)
    {
        var message = exception switch
        {
            // The outer message of a broken appsettings.json names the file, the inner one the place.
            InvalidDataException { InnerException: { } inner } => $"{exception.Message} {inner.Message}",
            NpgsqlException => $"PostgreSQL: {PrivilegeErrors.Describe(exception)}",
            _ => exception.Message,
        };
        return message.ReplaceLineEndings(" ");
    }
}
