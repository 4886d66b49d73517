using System.Reflection;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestFramework(typeof(KeycloakCreditBridge.Tests.Running.NeedsTestFramework))]

namespace KeycloakCreditBridge.Tests.Running;

/// <summary>Gives every test the trait of <see cref="TestNeeds"/> when it is discovered.</summary>
public sealed class NeedsTestFramework : XunitTestFramework
{
    protected override ITestFrameworkDiscoverer CreateDiscoverer(Assembly assembly) =>
        new Discoverer(((XunitTestFrameworkDiscoverer)base.CreateDiscoverer(assembly)).TestAssembly);

    private sealed class Discoverer(IXunitTestAssembly assembly) : XunitTestFrameworkDiscoverer(assembly)
    {
        protected override ValueTask<bool> FindTestsForMethod(
            IXunitTestMethod testMethod, ITestFrameworkDiscoveryOptions discoveryOptions,
            Func<ITestCase, ValueTask<bool>> discoveryCallback) =>
            base.FindTestsForMethod(testMethod, discoveryOptions, testCase => discoveryCallback(WithTrait(testCase)));

        private static ITestCase WithTrait(ITestCase testCase)
        {
            if (testCase is XunitTestCase found && !found.Traits.ContainsKey(TestNeeds.Trait))
            {
                var needs = TestNeeds.Of(found.TestClass.Class, found.TestMethod.Method, found.TestMethodArguments);
                found.Traits[TestNeeds.Trait] = [needs];
            }

            return testCase;
        }
    }
}
