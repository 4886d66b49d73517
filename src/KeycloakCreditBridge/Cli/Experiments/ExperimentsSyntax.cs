using System.CommandLine;

namespace KeycloakCreditBridge.Cli.Experiments;

/// <summary>The command `experiments` and its options.</summary>
internal static class ExperimentsSyntax
{
    private static readonly Argument<string> Key = new("NAME") { Description = "The experiment, as its settings name it." };

    private static readonly Argument<string> Arm = new("ARM") { Description = "The arm that all new users get." };

    private static readonly Option<string?> Realm = new("--realm")
    {
        Description = "Only this realm; all configured ones without it.", HelpName = "NAME",
    };

    private static readonly Option<string?> OneRealm = new("--realm")
    {
        Description = "The experiment's realm; it may be left out where only one is configured.", HelpName = "NAME",
    };

    private static readonly Option<double> Share = Part("--share", "The part of users that do it today, such as 0.10.");

    private static readonly Option<double> Other = Part("--to", "The part that is worth finding, such as 0.12.");

    private static readonly Option<bool> Json = ResultSyntax.Json("experiment");

    private static readonly Option<bool> ArmJson = ResultSyntax.Json("arm");

    public static Command Command(CommandHost host) =>
        new("experiments", "Compare welcome credits: which arms users are in, and what they did. Needs PostgreSQL only.")
        {
            List(host), Show(host), Stop(host), Winner(host), Plan(),
        };

    private static Command List(CommandHost host)
    {
        var command = new Command("list", "Show the experiments that began, with their users.") { Realm, Json };
        command.SetAction((parsed, _) =>
            ExperimentsCommand.ListAsync(host, host.Settings(parsed), parsed.GetValue(Realm), parsed.GetValue(Json)));
        return command;
    }

    private static Command Show(CommandHost host)
    {
        var command = new Command("show", "Show the arms of an experiment, and what their users did. A broken sample ratio hides that.")
        {
            Key, OneRealm, ArmJson,
        };
        command.SetAction((parsed, _) => ExperimentsCommand.ShowAsync(
            host, host.Settings(parsed), new(parsed.GetRequiredValue(Key), parsed.GetValue(OneRealm)), parsed.GetValue(ArmJson)));
        return command;
    }

    private static Command Stop(CommandHost host)
    {
        var command = new Command("stop", "Take no more users into an experiment: new ones get what control gives, others keep theirs.")
        {
            Key, OneRealm, Json,
        };
        command.SetAction((parsed, _) => ExperimentsCommand.DecideAsync(
            host, host.Settings(parsed), new(parsed.GetRequiredValue(Key), parsed.GetValue(OneRealm)), null, parsed.GetValue(Json)));
        return command;
    }

    private static Command Winner(CommandHost host)
    {
        var command = new Command("winner", "Stop an experiment and give all new users what one arm gives.") { Key, Arm, OneRealm, Json };
        command.SetAction((parsed, _) => ExperimentsCommand.DecideAsync(
            host, host.Settings(parsed), new(parsed.GetRequiredValue(Key), parsed.GetValue(OneRealm)), parsed.GetRequiredValue(Arm),
            parsed.GetValue(Json)));
        return command;
    }

    private static Command Plan()
    {
        var command = new Command("plan", "Compute how many users each arm needs to show a difference. Needs nothing.")
        {
            Share, Other, ResultSyntax.Json("plan"),
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(Share).Equals(result.GetValue(Other)))
                result.AddError("--share and --to are the same: there is no difference to show.");
        });
        command.SetAction((parsed, _) => ExperimentsCommand.PlanAsync(
            parsed.GetValue(Share), parsed.GetValue(Other), parsed.GetValue<bool>("--json")));
        return command;
    }

    private static Option<double> Part(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "PART",
        Required = true,
        Validators =
        {
            result =>
            {
                if (result.Errors.Any() || result.GetValueOrDefault<double>() is not (> 0d and < 1d))
                    result.AddError($"{name} takes more than 0 and less than 1.");
            },
        },
    };
}

/// <param name="Realm">Null where only one is configured.</param>
internal sealed record NamedExperiment(string Name, string? Realm);
