using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace KeycloakCreditBridge.Operations.Commands;

/// <summary>The generated help, followed by what no option says: examples, exit codes, where settings come from.</summary>
internal sealed class ManualAction(HelpAction generated) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        generated.Invoke(parseResult);
        parseResult.InvocationConfiguration.Output.WriteLine(Manual.Footer);
        return ExitCode.Done;
    }
}
